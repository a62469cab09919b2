"""The requests that the HTTP edge reads, and the answers it gives."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from sms_service.codes.purposes import Notice, Purpose

# Longer than a mobile or a code, which come with invisible characters when they are copied.
Short = Annotated[StrictStr, Field(min_length=1, max_length=64)]


class SmsCodeRequest(BaseModel):
    """A wish for a code, paid for with a captcha."""

    model_config = ConfigDict(extra="forbid")
    mobile: Short
    purpose: Purpose
    captcha_id: Annotated[StrictStr, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
    captcha_text: Short


class SmsCodeHeaders(BaseModel):
    """Visible ASCII characters; a request that is sent again with the same key and body gets the first answer."""

    idempotency_key: Annotated[str | None, Field(alias="Idempotency-Key", pattern=r"^[!-~]{1,255}$")] = None


class SmsCodePromise(BaseModel):
    """A code is on its way; both numbers are seconds."""

    expires_in: int
    resend_after: int


class Consumption(BaseModel):
    """One try of a code: its digits count. ``subject`` is the user's id, for the purposes that are bound to a user."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
    mobile: Short
    purpose: Purpose
    code: Short
    subject: Annotated[str, Field(max_length=32)] | None = None


class ConsumptionResult(BaseModel):
    """Whether the code was right; a right one is used up, and with no tries left it is burnt."""

    verified: bool
    attempts_left: int


class NoticeRequest(BaseModel):
    """A notice, and the mobile that it goes to."""

    model_config = ConfigDict(extra="forbid")
    mobile: Short
    notice: Notice


class ReceiptPath(BaseModel):
    """The provider, and the secret that the operator gave it as a part of the address."""

    provider: str
    secret: str


class InboxQuery(BaseModel):
    """Whose messages; all of them without a mobile."""

    mobile: Annotated[str, Field(max_length=64)] | None = None


class InboxItem(BaseModel):
    """One text of the inbox."""

    mobile: str
    text: str
    sent_at: datetime


class InboxItems(BaseModel):
    """The texts, newest first."""

    items: list[InboxItem]
