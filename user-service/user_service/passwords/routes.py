"""The HTTP edge of passwords: resetting a forgotten one, changing a known one."""

import svcs
from flask_openapi3 import APIBlueprint

from chassis import errors
from chassis.identity import client_ip, current_caller, current_user_id
from chassis.mobiles import parse_mobile
from chassis.web import Access, endpoint
from user_service.accounts.contract import PasswordChangeRequest, PasswordResetRequest
from user_service.passwords.change import PasswordChange, PasswordChanges
from user_service.passwords.reset import PasswordReset, PasswordResets

api = APIBlueprint("passwords", __name__)
_NOT_NOW = (errors.TooManyRequests, errors.DependencyUnavailable)


@endpoint(
    api,
    "POST",
    "/api/v1/password-resets",
    access=Access.PUBLIC,
    answers={204: None},
    failures=[errors.MobileInvalid, errors.SmsCodeWrong, errors.SmsCodeExpired, errors.PasswordRejected, *_NOT_NOW],
)
def reset_password(body: PasswordResetRequest) -> tuple[str, int]:
    """Set a new password by a code that was texted; every session of the account ends."""
    reset = PasswordReset(parse_mobile(body.mobile), body.sms_code, body.password)
    svcs.flask.get(PasswordResets).reset_password(reset, client_ip())
    return "", 204


@endpoint(
    api,
    "PUT",
    "/api/v1/users/me/password",
    access=Access.SIGNED_IN,
    answers={204: None},
    failures=[errors.CredentialsWrong, errors.StepUpRequired, errors.PasswordRejected, *_NOT_NOW],
)
def change_password(body: PasswordChangeRequest) -> tuple[str, int]:
    """Change the password; the other sessions end, and the owner is told by SMS."""
    session_id = current_caller().session_id
    change = PasswordChange(current_user_id(), body.current_password, body.new_password, session_id, client_ip())
    svcs.flask.get(PasswordChanges).change_password(change)
    return "", 204
