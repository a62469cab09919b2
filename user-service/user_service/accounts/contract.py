"""The requests and answers about accounts. The OpenAPI document is generated from the models."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal  # Any: JSON objects hold anything.

from flask_openapi3 import RawModel
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import Row

from chassis.texts import free_text
from user_service.accounts.avatars import MEDIA_TYPES, NAME
from user_service.models import Gender, User, roles_of


def storable(text: str) -> str:
    """Return what is stored of a text: nothing invisible but what shapes visible characters.

    Raises:
        ValueError: it holds a control character other than a line end.
    """
    if re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text):
        raise ValueError("control characters are not allowed")
    return free_text(text)


def visible(text: str) -> str:
    """Return what is stored of a text, as `storable`.

    Raises:
        ValueError: as `storable`, or nothing of it can be seen.
    """
    if not (kept := storable(text)):
        raise ValueError("use visible characters")
    return kept


_LARGEST_ID = 2**31 - 1
# Longer than a mobile and a code, which come with invisible characters when they are copied.
MobileText = Annotated[str, Field(min_length=1, max_length=64, examples=["13800138000"])]
CodeText = Annotated[str, Field(min_length=1, max_length=64, examples=["031415"])]
# This bound only keeps hashing cheap. The policy decides about new passwords.
PasswordText = Annotated[str, Field(min_length=1, max_length=1024)]
NickNameText = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(storable)]
UserId = Annotated[int, Field(ge=1, le=_LARGEST_ID)]


class Request(BaseModel):
    """A body: nothing unknown in it, and no value turned into another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RegisterRequest(Request):
    """A mobile, the code that was texted to it for the purpose ``register``, and a new password."""

    mobile: MobileText
    sms_code: CodeText
    password: PasswordText
    nick_name: NickNameText | None = None


class ProfileRequest(Request):
    """What to change; what is absent or null stays as it is."""

    nick_name: NickNameText | None = None
    signature: Annotated[str, Field(max_length=512), AfterValidator(storable)] | None = None
    gender: Literal["MAN", "WOMAN"] | None = None


class UserPath(BaseModel):
    """The id in the address."""

    user_id: UserId


class UsersQuery(BaseModel):
    """Up to 100 ids: ``?id=1&id=2``."""

    ids: Annotated[list[UserId], Field(alias="id", min_length=1, max_length=100)]


class DumpAccount(Request):
    """An account as a dump has it: its id there, and its mobile in any spelling."""

    id: UserId
    mobile: MobileText


class DumpAccounts(Request):
    """Up to 500 accounts of a dump."""

    accounts: Annotated[list[DumpAccount], Field(min_length=1, max_length=500)]


class SameAccounts(BaseModel):
    """The ids of those that are the same accounts here."""

    ids: list[int]


class UserCard(BaseModel):
    """A user as a neighbour service shows them."""

    id: int
    nick_name: str
    avatar_url: str | None


class DatedUserCard(UserCard):
    """A user's card, and since when the account exists; null if that is unknown, as of some imported accounts."""

    created_at: datetime | None


class UserCards(BaseModel):
    """Those of the asked users that exist."""

    items: list[DatedUserCard]


class PublicUser(UserCard):
    """A user as everybody may see them."""

    signature: str | None
    gender: Literal["MAN", "WOMAN"]


class OwnUser(PublicUser):
    """A user as they see themselves; the mobile whole, in E.164."""

    mobile: str
    roles: list[str]
    created_at: datetime | None
    last_login: datetime | None


class PasswordResetRequest(Request):
    """A mobile, the code that was texted to it for the purpose ``reset_password``, and a new password."""

    mobile: MobileText
    sms_code: CodeText
    password: PasswordText


class PasswordChangeRequest(Request):
    """The new password, and the current one unless the user has just proved who they are."""

    current_password: PasswordText | None = None
    new_password: PasswordText


class MobileChangeRequest(Request):
    """The new mobile, and the code that was texted to it for the purpose ``change_mobile``."""

    mobile: MobileText
    sms_code: CodeText


class PictureBody(RawModel):
    """The bytes of a picture, at most 5 MiB."""

    mimetypes = list(MEDIA_TYPES)  # noqa: RUF012 - RawModel wants a list here.


class AvatarPath(BaseModel):
    """The file name in the address."""

    name: Annotated[str, Field(pattern=f"^{NAME}$")]


Account = User | Row[*tuple[Any, ...]]
"""An account as an object, or a row with the columns that are shown (`Accounts.own_account`)."""


def rfc3339(moment: datetime | None) -> str | None:
    """Write a moment as RFC 3339 in UTC, to the second: ``2026-01-31T08:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def user_card(user: Account) -> dict[str, Any]:
    """Return what other services see of a user."""
    return {**_card(user), "created_at": rfc3339(user.create_time)}


def _card(user: Account) -> dict[str, Any]:
    return {"id": user.id, "nick_name": user.nick_name, "avatar_url": user.avatar_url or None}


def public_user(user: Account) -> dict[str, Any]:
    """Return what everybody sees of a user; no mobile."""
    return {**_card(user), "signature": user.signature, "gender": user.gender or Gender.MAN}


def own_user(user: Account) -> dict[str, Any]:
    """Return what users see of themselves."""
    return {
        **public_user(user),
        "mobile": user.mobile,
        "roles": roles_of(user),
        "created_at": rfc3339(user.create_time),
        "last_login": rfc3339(user.last_login),
    }
