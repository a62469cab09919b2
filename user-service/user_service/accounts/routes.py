"""The HTTP edge of accounts: registering, the own account, avatars, public profiles, names for other services."""

from typing import Any  # Answers are JSON objects.

import svcs
from flask import Response, request
from flask_openapi3 import APIBlueprint

from chassis import errors
from chassis.identity import client_ip, current_user_id
from chassis.mobiles import parse_mobile
from chassis.pictures import DRAWN_TYPE, MEDIA_TYPES, MOST_BYTES, OTHER_MEDIA_TYPES
from chassis.web import Access, endpoint, media_answer
from user_service.accounts.accounts import Accounts, ProfileChange
from user_service.accounts.avatars import Avatars
from user_service.accounts.contract import (
    AvatarPath,
    DumpAccounts,
    MobileChangeRequest,
    OwnUser,
    PictureBody,
    ProfileRequest,
    PublicUser,
    RegisterRequest,
    SameAccounts,
    UserCards,
    UserPath,
    UsersQuery,
    own_user,
    public_user,
    user_card,
)
from user_service.accounts.deletion import Deletion
from user_service.accounts.mobile_changes import MobileChanges
from user_service.accounts.registration import Application, Registration
from user_service.models import Gender
from user_service.sessions.contract import SignedInAnswer, current_device, signed_in

api = APIBlueprint("accounts", __name__)


@endpoint(
    api,
    "POST",
    "/api/v1/users",
    access=Access.PUBLIC,
    answers={201: SignedInAnswer},
    failures=[
        errors.MobileInvalid,
        errors.SmsCodeWrong,
        errors.SmsCodeExpired,
        errors.MobileTaken,
        errors.NickNameTaken,
        errors.PasswordRejected,
        errors.TooManyRequests,
        errors.DependencyUnavailable,
    ],
)
def register(body: RegisterRequest) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Make an account with a mobile and the code that was texted to it; the answer is signed in."""
    application = Application(parse_mobile(body.mobile), body.sms_code, body.password, body.nick_name)
    result = svcs.flask.get(Registration).register(application, current_device(), client_ip())
    return signed_in(result), 201, {"Location": f"/api/v1/users/{result.user.id}"}


@endpoint(api, "GET", "/api/v1/users/me", access=Access.SIGNED_IN, answers={200: OwnUser})
def read_own_user() -> dict[str, Any]:
    """Show the signed-in user to themselves."""
    return own_user(svcs.flask.get(Accounts).own_account(current_user_id()))


@endpoint(
    api, "PATCH", "/api/v1/users/me", access=Access.SIGNED_IN, answers={200: OwnUser}, failures=[errors.NickNameTaken]
)
def change_own_user(body: ProfileRequest) -> dict[str, Any]:
    """Change the nick name, the signature or the gender."""
    gender = Gender(body.gender) if body.gender else None
    change = ProfileChange(nick_name=body.nick_name, signature=body.signature, gender=gender)
    return own_user(svcs.flask.get(Accounts).change_profile(current_user_id(), change))


@endpoint(
    api,
    "PUT",
    "/api/v1/users/me/mobile",
    access=Access.SIGNED_IN,
    answers={200: OwnUser},
    failures=[
        errors.MobileInvalid,
        errors.SmsCodeWrong,
        errors.SmsCodeExpired,
        errors.StepUpRequired,
        errors.MobileTaken,
        errors.TooManyRequests,
        errors.DependencyUnavailable,
    ],
)
def change_mobile(body: MobileChangeRequest) -> dict[str, Any]:
    """Change the mobile by a code that was texted to the new one; the old one is told by SMS."""
    mobile = parse_mobile(body.mobile)
    user = svcs.flask.get(MobileChanges).change_mobile(current_user_id(), mobile, body.sms_code, client_ip())
    return own_user(user)


@endpoint(
    api,
    "PUT",
    "/api/v1/users/me/avatar",
    access=Access.SIGNED_IN,
    answers={200: OwnUser},
    failures=[errors.BodyTooLarge, errors.MediaTypeUnsupported, errors.TooManyRequests, errors.DependencyUnavailable],
)
def change_avatar(raw: PictureBody) -> dict[str, Any]:
    """Make a picture the avatar: the body is the file itself (JPEG, PNG, WebP or GIF, at most 5 MiB)."""
    if raw.mimetype not in MEDIA_TYPES + OTHER_MEDIA_TYPES:
        raise errors.MediaTypeUnsupported(f"Send the picture itself, as {', '.join(MEDIA_TYPES)}.")
    raw.max_content_length = MOST_BYTES
    return own_user(svcs.flask.get(Avatars).set_avatar(current_user_id(), raw.get_data(cache=False)))


@endpoint(api, "DELETE", "/api/v1/users/me/avatar", access=Access.SIGNED_IN, answers={204: None})
def remove_avatar() -> tuple[str, int]:
    """Take the avatar away."""
    svcs.flask.get(Avatars).remove_avatar(current_user_id())
    return "", 204


@endpoint(
    api,
    "DELETE",
    "/api/v1/users/me",
    access=Access.SIGNED_IN,
    answers={204: None},
    failures=[errors.StepUpRequired, errors.DependencyUnavailable],
)
def delete_account() -> tuple[str, int]:
    """Delete the account for good: the person's data goes, a tombstone stays for what they wrote."""
    svcs.flask.get(Deletion).delete_account(current_user_id())
    return "", 204


@endpoint(
    api,
    "GET",
    "/api/v1/users/<int:user_id>",
    access=Access.PUBLIC,
    answers={200: PublicUser},
    failures=[errors.NotFound],
)
def read_public_user(path: UserPath) -> dict[str, Any]:
    """Show a user's public profile."""
    return public_user(svcs.flask.get(Accounts).public_account(path.user_id))


@endpoint(
    api,
    "GET",
    "/api/v1/avatars/<name>",
    access=Access.PUBLIC,
    answers={200: media_answer(DRAWN_TYPE), 304: None},
    failures=[errors.NotFound],
)
def read_avatar(path: AvatarPath) -> Response:
    """Show an avatar, a WebP of 256 x 256; its address names its content, so it never changes."""
    answer = Response(svcs.flask.get(Avatars).read_picture(path.name), content_type=DRAWN_TYPE)
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    answer.headers["CDN-Cache-Control"] = "no-store"  # A deleted avatar is gone at once, but for those who saw it.
    answer.set_etag(path.name)
    answer.make_conditional(request)
    return answer


@endpoint(
    api,
    "GET",
    "/internal/users",
    access=Access.SERVICE,
    callers=frozenset({"news-service", "gateway"}),
    answers={200: UserCards},
)
def read_user_cards(query: UsersQuery) -> dict[str, Any]:
    """Name the users of up to 100 ids; unknown ids are left out."""
    return {"items": [user_card(user) for user in svcs.flask.get(Accounts).accounts_by_id(query.ids)]}


@endpoint(
    api,
    "POST",
    "/internal/users/imported",
    access=Access.SERVICE,
    callers=frozenset({"news-service"}),
    answers={200: SameAccounts},
    failures=[errors.DependencyUnavailable],
)
def find_imported_users(body: DumpAccounts) -> dict[str, Any]:
    """Say which of up to 500 accounts of a dump are the same here, by id and mobile; nothing else is told of them."""
    accounts = {account.id: account.mobile for account in body.accounts}
    return {"ids": sorted(svcs.flask.get(Accounts).same_accounts(accounts))}
