"""The refresh of a browser's session: its refresh token, which stands in a cookie, is exchanged at user-service."""

import hashlib
import json
import threading
from concurrent.futures import Future
from dataclasses import replace

from pydantic import ValidationError

from chassis.errors import Unauthenticated, UpstreamUnavailable
from chassis.service_client import ServiceClient
from gateway.auth.cookies import SessionCookies, Tokens
from gateway.auth.csrf import SameSite
from gateway.metrics import REFRESHES
from gateway.proxy.body import Body
from gateway.proxy.request import ProxyRequest

_EMPTY_BODIES = (b"", b"{}")


class RefreshRefused(Exception):
    """The refresh token is used up, revoked or expired: the session is over."""


class TokenRefresh:
    """Exchanges refresh tokens at user-service; requests of one browser that come together share one exchange."""

    def __init__(self, users: ServiceClient) -> None:
        self._users = users
        self._lock = threading.Lock()
        self._running: dict[bytes, Future[Tokens]] = {}

    def refresh(self, refresh_token: str, request: ProxyRequest) -> Tokens:
        """Exchange a refresh token.

        Raises:
            RefreshRefused: user-service says that the session is over.
            UpstreamUnavailable, UpstreamTimeout: it did not answer; the session may well go on.
        """
        key = hashlib.sha256(refresh_token.encode()).digest()
        with self._lock:
            future = self._running.get(key)
            is_first = future is None
            if future is None:
                future = self._running[key] = Future()
        if is_first:
            try:
                future.set_result(self._exchange(refresh_token, request))
            except BaseException as error:
                future.set_exception(error)
            finally:
                with self._lock:
                    del self._running[key]
        return future.result()

    def _exchange(self, refresh_token: str, request: ProxyRequest) -> Tokens:
        response = self._users.request(
            "POST",
            "/api/v1/tokens/refresh",
            json={"refresh_token": refresh_token},
            headers=request.client_headers(),
        )
        try:
            body = response.json()
            if response.ok:
                tokens = Tokens.model_validate(body)
                REFRESHES.labels("renewed").inc()
                return tokens
            code = body.get("code")
        except (ValueError, ValidationError, AttributeError, RecursionError) as error:
            raise UpstreamUnavailable("user-service did not answer tokens.") from error
        # Any other refusal (a limit, our own token) says nothing about the session.
        if code in (Unauthenticated.code, "request_invalid"):
            REFRESHES.labels("refused").inc()
            raise RefreshRefused
        raise UpstreamUnavailable("user-service did not renew the session.")


def with_cookie_token(
    body: Body, request: ProxyRequest, cookies: SessionCookies, same_site: SameSite
) -> tuple[Body, ProxyRequest]:
    """Put the refresh token of a browser's cookie into the body of ``POST /api/v1/tokens/refresh``.

    Returns the body to send, and the request with the content type of that body. A body with content, as apps send it,
    stays as it is, and the cookie is not read.

    Raises:
        CrossSiteRefused: the cookie would be used, and the request does not come from our pages.
    """
    token = cookies.read_session(request.header("Cookie")).refresh_token
    if not token or not isinstance(body.chunks, bytes) or body.chunks.strip() not in _EMPTY_BODIES:
        return body, request
    same_site.require(request)
    text = json.dumps({"refresh_token": token}).encode()
    environ = {**request.environ, "CONTENT_TYPE": "application/json"}
    return Body(text, len(text)), replace(request, environ=environ)
