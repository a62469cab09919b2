"""The five classic calls of registering and signing in, as calls to the services."""

import re
from dataclasses import dataclass

from pydantic import ValidationError

from chassis.errors import RequestRefused, TooManyRequests, UpstreamUnavailable
from chassis.identity import Caller
from chassis.service_client import ServiceClient
from gateway.cookies import Tokens
from gateway.incoming import Incoming

_PICTURE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True)
class Passport:
    """Speaks to the services for a classic frontend; their errors pass through as they are."""

    captchas: ServiceClient
    sms: ServiceClient
    users: ServiceClient

    def picture(self, picture_id: str, incoming: Incoming) -> tuple[bytes, str]:
        """Bind a fresh captcha to an id that the frontend chose; return the picture and its media type.

        Raises:
            RequestRefused: the id is not acceptable.
            TooManyRequests: captcha-service counted too many pictures for this address.
            UpstreamUnavailable, UpstreamTimeout: there is no picture.
        """
        if not _PICTURE_ID.fullmatch(picture_id):
            raise RequestRefused
        answer = self.captchas.request("PUT", f"/internal/captchas/{picture_id}", headers=_from(incoming))
        if answer.status_code == TooManyRequests.status:
            raise TooManyRequests
        kind = answer.headers.get("Content-Type", "")
        if not answer.ok or not kind.startswith("image/"):
            raise UpstreamUnavailable
        return answer.content, kind

    def forget_picture(self, picture_id: str) -> None:
        """Drop a captcha that the frontend does not show any more; an unknown id is fine."""
        if _PICTURE_ID.fullmatch(picture_id):
            self.captchas.request("DELETE", f"/internal/captchas/{picture_id}")

    def send_code(self, *, mobile: str, picture_text: str, picture_id: str, incoming: Incoming) -> None:
        """Have a code texted for registering, which is all that classic frontends use codes for."""
        body = {"mobile": mobile, "purpose": "register", "captcha_id": picture_id, "captcha_text": picture_text}
        self.sms.call("POST", "/api/v1/sms-codes", json=body, headers=_from(incoming))

    def register(self, *, mobile: str, sms_code: str, password: str, incoming: Incoming) -> Tokens:
        """Open an account, and sign in."""
        body = {"mobile": mobile, "sms_code": sms_code, "password": password}
        return _tokens(self.users.call("POST", "/api/v1/users", json=body, headers=_from(incoming)))

    def log_in(self, *, mobile: str, password: str, incoming: Incoming) -> Tokens:
        """Sign in by password."""
        body = {"mobile": mobile, "password": password}
        return _tokens(self.users.call("POST", "/api/v1/sessions", json=body, headers=_from(incoming)))

    def log_out(self, user: Caller, incoming: Incoming) -> None:
        """End the session in which the user asks for it."""
        self.users.call("DELETE", "/api/v1/sessions/current", caller=user, headers=_from(incoming))


def _from(incoming: Incoming) -> dict[str, str]:
    return {"X-Forwarded-For": incoming.client_ip, "User-Agent": incoming.header("User-Agent")}


def _tokens(body: object) -> Tokens:
    try:
        return Tokens.model_validate(body)
    except ValidationError as error:
        raise UpstreamUnavailable("The answer holds no tokens.") from error
