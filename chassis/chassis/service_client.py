"""Calls to another service: internal token, request id, trace, time-outs, a keep-alive pool, errors of our own tree."""

from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NoReturn, TypedDict, Unpack

import requests
from pydantic import BaseModel, Field, ValidationError
from requests.adapters import BaseAdapter, HTTPAdapter
from structlog import get_logger
from urllib3.exceptions import NewConnectionError

from chassis import errors
from chassis.identity import INTERNAL_TOKEN_HEADER, Caller, InternalTokens
from chassis.tracing import REQUEST_ID_HEADER, current_request_id, trace_headers

CONNECT_TIMEOUT_SECONDS = 1.0
READ_TIMEOUT_SECONDS = 5.0
POOL_SIZE = 32
log = get_logger(__name__)
# Errors between the two services; the user has no part in them.
_BETWEEN_SERVICES = (errors.InternalError, errors.InternalTokenRefused, errors.ServiceRefused)


class RequestOptions(TypedDict, total=False):
    """The options of a request; ``caller`` names a user on whose behalf the service calls."""

    json: Any
    params: Mapping[str, str | list[str]]
    caller: Caller | None
    headers: Mapping[str, str]


class _Failure(BaseModel):
    """The part of a service's problem that is read."""

    code: str
    detail: str | None = None
    fields: list[errors.FieldError] = Field(default=[], validation_alias="errors")


class ServiceClient:
    """Calls one service. Threads may share it; make it after a fork.

    ``address`` is like ``http://captcha-service:8000``, ``name`` is the audience of the token, ``own_name`` its issuer.
    ``adapter`` sends the requests in another way than over a pool of connections to that address.
    """

    def __init__(
        self,
        address: str,
        *,
        name: str,
        own_name: str,
        tokens: InternalTokens,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
        adapter: BaseAdapter | None = None,
    ) -> None:
        self.name = name
        self._address = address.rstrip("/")
        self._caller = Caller(own_name)
        self._tokens = tokens
        self._timeouts = (CONNECT_TIMEOUT_SECONDS, read_timeout_seconds)
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._http.mount(self._address, adapter or HTTPAdapter(pool_connections=1, pool_maxsize=POOL_SIZE))

    def request(self, method: str, path: str, **options: Unpack[RequestOptions]) -> requests.Response:
        """Send one request and return the answer, whatever its status.

        Raises:
            DependencyUnavailable: the service does not run: there was no connection, so it got nothing.
            UpstreamTimeout: no answer in 5 s.
            UpstreamUnavailable: the service broke the connection.
        """
        own = {
            INTERNAL_TOKEN_HEADER: self._tokens.write_token(options.get("caller") or self._caller, audience=self.name),
            REQUEST_ID_HEADER: current_request_id(),
            **trace_headers(),
        }
        try:
            return self._http.request(
                method,
                self._address + path,
                json=options.get("json"),
                params=options.get("params"),
                headers={**options.get("headers", {}), **own},
                timeout=self._timeouts,
                allow_redirects=False,
            )
        except requests.ConnectTimeout as error:
            raise errors.DependencyUnavailable(f"{self.name} is away.") from error
        except requests.Timeout as error:
            raise errors.UpstreamTimeout(f"{self.name} did not answer in time.") from error
        except requests.RequestException as error:
            # urllib3's reason, inside the exception that requests raises: refused, or no such host.
            if error.args and isinstance(getattr(error.args[0], "reason", None), NewConnectionError):
                raise errors.DependencyUnavailable(f"{self.name} is away.") from error
            raise errors.UpstreamUnavailable(f"{self.name} cannot be reached.") from error

    def call(self, method: str, path: str, **options: Unpack[RequestOptions]) -> Any:
        """Send one request and return the decoded JSON body of a successful answer, None for 204.

        Raises:
            XinjingError: the error of our tree whose code the service's problem names; `Unauthenticated` is about the
                user. If the service refuses our internal token, the user gets `UpstreamUnavailable`.
            DependencyUnavailable, UpstreamTimeout: as in `request`.
            UpstreamUnavailable: as in `request`, and for every answer that is neither.
        """
        answer = self.request(method, path, **options)
        if answer.status_code == 204:
            return None
        try:
            body = answer.json()
        except (requests.JSONDecodeError, RecursionError) as error:
            raise errors.UpstreamUnavailable(f"{self.name} did not answer JSON.") from error
        if not 200 <= answer.status_code < 300:
            self._raise_error(body, answer.headers.get("Retry-After"))
        return body

    def is_up(self) -> bool:
        """Return True if the service's process answers at all (its ``/healthz``), else raise, as svcs pings must.

        Raises:
            DependencyUnavailable, UpstreamUnavailable, UpstreamTimeout: it does not.
        """
        if not self.request("GET", "/healthz").ok:
            raise errors.UpstreamUnavailable(f"{self.name} is not up.")
        return True

    def _raise_error(self, body: Any, retry_after: str | None) -> NoReturn:
        try:
            failure = _Failure.model_validate(body)
        except ValidationError as error:
            raise errors.UpstreamUnavailable(f"{self.name} did not answer a problem.") from error
        kind = errors.by_code(failure.code)
        if kind is None or kind in _BETWEEN_SERVICES:
            log.error("neighbour_failed", neighbour=self.name, code=failure.code)
            raise errors.UpstreamUnavailable(f"{self.name} failed.")
        wait = int(retry_after) if retry_after and retry_after.isdecimal() else None
        raise kind(failure.detail, retry_after_seconds=wait, errors=failure.fields)
