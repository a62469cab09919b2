"""The HTTP edge of accounts: registering, the own account, others' profiles, names for other services."""

from typing import Any  # Answers are JSON objects.

import svcs
from flask_openapi3 import APIBlueprint

from chassis import errors
from chassis.identity import client_ip, current_user_id
from chassis.mobiles import parse_mobile
from chassis.web import Access, endpoint
from user_service import answers
from user_service.accounts.accounts import Accounts, ProfileChange
from user_service.accounts.contract import (
    OwnUser,
    ProfileRequest,
    PublicUser,
    RegisterRequest,
    UserCards,
    UserPath,
    UsersQuery,
)
from user_service.accounts.deletion import Deletion
from user_service.accounts.registration import Application, Registration
from user_service.models import Gender
from user_service.sessions.contract import SignedInAnswer
from user_service.sessions.grants import current_device

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
    return answers.signed_in(result), 201, {"Location": f"/api/v1/users/{result.user.id}"}


@endpoint(api, "GET", "/api/v1/users/me", access=Access.SIGNED_IN, answers={200: OwnUser})
def read_own_user() -> dict[str, Any]:
    """Show the signed-in user to themselves."""
    return answers.own_user(svcs.flask.get(Accounts).own(current_user_id()))


@endpoint(
    api,
    "PATCH",
    "/api/v1/users/me",
    access=Access.SIGNED_IN,
    answers={200: OwnUser},
    failures=[errors.NickNameTaken],
)
def change_own_user(body: ProfileRequest) -> dict[str, Any]:
    """Change the nick name, the signature or the gender."""
    gender = Gender(body.gender) if body.gender else None
    change = ProfileChange(nick_name=body.nick_name, signature=body.signature, gender=gender)
    return answers.own_user(svcs.flask.get(Accounts).change(current_user_id(), change))


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
    svcs.flask.get(Deletion).delete(current_user_id())
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
    return answers.public_user(svcs.flask.get(Accounts).public(path.user_id))


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
    return {"items": [answers.user_card(user) for user in svcs.flask.get(Accounts).named(query.ids)]}
