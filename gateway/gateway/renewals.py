"""The silent renewal of a cookie session: refresh tokens are exchanged at user-service, once per token."""

import hashlib
import threading
from concurrent.futures import Future

from pydantic import ValidationError

from chassis.errors import Unauthenticated, UpstreamUnavailable
from chassis.service_client import ServiceClient
from gateway.cookies import Tokens
from gateway.incoming import Incoming
from gateway.observation import REFRESHES


class RefreshRefused(Exception):
    """The refresh token is used up, revoked or expired: the session is over."""


class Renewals:
    """Exchanges refresh tokens at user-service; requests of one browser that come together share one exchange."""

    def __init__(self, users: ServiceClient) -> None:
        self._users = users
        self._lock = threading.Lock()
        self._under_way: dict[bytes, Future[Tokens]] = {}

    def renew(self, refresh_token: str, incoming: Incoming) -> Tokens:
        """Exchange a refresh token.

        Raises:
            RefreshRefused: user-service says that the session is over.
            UpstreamUnavailable, UpstreamTimeout: it did not answer; the session may well go on.
        """
        key = hashlib.sha256(refresh_token.encode()).digest()
        with self._lock:
            future = self._under_way.get(key)
            is_first = future is None
            if future is None:
                future = self._under_way[key] = Future()
        if is_first:
            try:
                future.set_result(self._exchange(refresh_token, incoming))
            except BaseException as error:
                future.set_exception(error)
            finally:
                with self._lock:
                    del self._under_way[key]
        return future.result()

    def _exchange(self, refresh_token: str, incoming: Incoming) -> Tokens:
        headers = {"X-Forwarded-For": incoming.client_ip, "User-Agent": incoming.header("User-Agent")}
        answer = self._users.request(
            "POST", "/api/v1/tokens/refresh", json={"refresh_token": refresh_token}, headers=headers
        )
        try:
            body = answer.json()
            if answer.ok:
                tokens = Tokens.model_validate(body)
                REFRESHES.labels("renewed").inc()
                return tokens
            code = body.get("code")
        except (ValueError, ValidationError, AttributeError) as error:
            raise UpstreamUnavailable("user-service did not answer tokens.") from error
        # Any other refusal (a limit, our own token) says nothing about the session.
        if code in (Unauthenticated.code, "request_invalid"):
            REFRESHES.labels("refused").inc()
            raise RefreshRefused
        raise UpstreamUnavailable("user-service did not renew the session.")
