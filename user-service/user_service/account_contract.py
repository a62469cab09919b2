"""What requests of the account's flows look like."""

from typing import Annotated

from flask_openapi3 import RawModel
from pydantic import BaseModel, Field

from user_service.avatars import NAME
from user_service.contract import CodeText, MobileText, PasswordText, Request
from user_service.pictures import MEDIA_TYPES


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

    mimetypes = list(MEDIA_TYPES)  # noqa: RUF012 - the form of RawModel.


class AvatarPath(BaseModel):
    """The file name in the address."""

    name: Annotated[str, Field(pattern=f"^{NAME}$")]
