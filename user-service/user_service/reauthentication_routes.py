"""The HTTP edge of proving again who one is."""

from typing import Any  # Answers are JSON objects.

import svcs
from flask_openapi3 import APIBlueprint

from chassis import errors
from chassis.identity import client_ip, current_caller
from chassis.web import Access, endpoint
from user_service import answers
from user_service.devices import current_device
from user_service.reauthentication import Reauthentication
from user_service.session_contract import ReauthenticationRequest, TokensAnswer

api = APIBlueprint("reauthentications", __name__)


@endpoint(
    api,
    "POST",
    "/api/v1/reauthentications",
    access=Access.SIGNED_IN,
    answers={200: TokensAnswer},
    failures=[
        errors.CredentialsWrong,
        errors.CaptchaRequired,
        errors.TooManyRequests,
        errors.DependencyUnavailable,
    ],
)
def reauthenticate(body: ReauthenticationRequest) -> dict[str, Any]:
    """Prove again who one is; the answer is a new session in place of the one that asks."""
    proofs, caller = svcs.flask.get(Reauthentication), current_caller()
    if body.password is not None:
        grant = proofs.by_password(caller, body.password, current_device(), client_ip())
    else:
        grant = proofs.by_code(caller, body.sms_code or "", current_device(), client_ip())
    return answers.tokens(grant)
