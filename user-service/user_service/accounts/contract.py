"""What requests and answers about accounts look like; the OpenAPI document is made from these models."""

import unicodedata
from datetime import datetime
from typing import Annotated, Literal

from flask_openapi3 import RawModel
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from user_service.accounts.avatars import MEDIA_TYPES, NAME


def storable(text: str) -> str:
    """Return a text that holds no control characters but line ends.

    Raises:
        ValueError: it does.
    """
    if any(unicodedata.category(character) == "Cc" and character != "\n" for character in text):
        raise ValueError("control characters are not allowed")
    return text


_LARGEST_ID = 2**31 - 1
MobileText = Annotated[str, Field(min_length=1, max_length=40, examples=["13800138000"])]
CodeText = Annotated[str, Field(min_length=1, max_length=32, examples=["031415"])]
# The policy says more about new passwords; this bound only keeps hashing cheap.
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

    model_config = ConfigDict(extra="forbid")
    ids: Annotated[list[UserId], Field(alias="id", min_length=1, max_length=100)]


class UserCard(BaseModel):
    """A user as a neighbour service shows them."""

    id: int
    nick_name: str
    avatar_url: str | None


class UserCards(BaseModel):
    """Those of the asked users that exist."""

    items: list[UserCard]


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

    mimetypes = list(MEDIA_TYPES)  # noqa: RUF012 - the form of RawModel.


class AvatarPath(BaseModel):
    """The file name in the address."""

    name: Annotated[str, Field(pattern=f"^{NAME}$")]
