"""The five classic calls of registering and signing in, as calls to the services."""

import re
from dataclasses import dataclass

from pydantic import ValidationError

from chassis.errors import RequestRefused, TooManyRequests, UpstreamUnavailable
from chassis.identity import Caller
from chassis.service_client import ServiceClient
from gateway.auth.cookies import Tokens
from gateway.proxy.request import ProxyRequest

_PICTURE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True)
class ClassicApi:
    """Calls the services for a classic frontend; their errors pass through as they are."""

    captchas: ServiceClient
    sms: ServiceClient
    users: ServiceClient

    def bind_picture(self, picture_id: str, request: ProxyRequest) -> tuple[bytes, str]:
        """Bind a fresh captcha to an id that the frontend chose; return the picture and its media type.

        Raises:
            RequestRefused: the id is not acceptable.
            TooManyRequests: captcha-service counted too many pictures for this address.
            UpstreamUnavailable, UpstreamTimeout: there is no picture.
        """
        if not _PICTURE_ID.fullmatch(picture_id):
            raise RequestRefused
        response = self.captchas.request("PUT", f"/internal/captchas/{picture_id}", headers=request.client_headers())
        if response.status_code == TooManyRequests.status:
            raise TooManyRequests
        media_type = response.headers.get("Content-Type", "")
        if not response.ok or not media_type.startswith("image/"):
            raise UpstreamUnavailable
        return response.content, media_type

    def forget_picture(self, picture_id: str) -> None:
        """Drop a captcha that the frontend does not show any more; an unknown id is fine."""
        if _PICTURE_ID.fullmatch(picture_id):
            self.captchas.request("DELETE", f"/internal/captchas/{picture_id}")

    def request_code(self, *, mobile: str, picture_text: str, picture_id: str, request: ProxyRequest) -> None:
        """Request an SMS code for registering; classic frontends use codes for nothing else."""
        body = {"mobile": mobile, "purpose": "register", "captcha_id": picture_id, "captcha_text": picture_text}
        self.sms.call("POST", "/api/v1/sms-codes", json=body, headers=request.client_headers())

    def register(self, *, mobile: str, sms_code: str, password: str, request: ProxyRequest) -> Tokens:
        """Open an account, and sign in."""
        body = {"mobile": mobile, "sms_code": sms_code, "password": password}
        return _read_tokens(self.users.call("POST", "/api/v1/users", json=body, headers=request.client_headers()))

    def log_in(self, *, mobile: str, password: str, request: ProxyRequest) -> Tokens:
        """Sign in by password."""
        body = {"mobile": mobile, "password": password}
        return _read_tokens(self.users.call("POST", "/api/v1/sessions", json=body, headers=request.client_headers()))

    def log_out(self, user: Caller, request: ProxyRequest) -> None:
        """End the session in which the user asks for it."""
        self.users.call("DELETE", "/api/v1/sessions/current", caller=user, headers=request.client_headers())


def _read_tokens(body: object) -> Tokens:
    try:
        return Tokens.model_validate(body)
    except ValidationError as error:
        raise UpstreamUnavailable("The answer holds no tokens.") from error
