"""What the proxy answers the client: a status line, the headers that are passed on, and the body's bytes."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from chassis.errors import XinjingError
from chassis.problems import MEDIA_TYPE, problem, problem_headers
from gateway.proxy.request import HOP_BY_HOP, IDENTITY_HEADER, Headers, listed_headers

# What speaks for the whole host, or to a proxy in front of it; what names a user stands in requests alone.
_NOT_FROM_OTHERS = frozenset(
    ["clear-site-data", "strict-transport-security", "x-accel-redirect", "x-sendfile", IDENTITY_HEADER.lower()]
)
# For what is no page: whatever it is taken for, it may load nothing and stand in no frame.
_NO_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'"


@dataclass
class ProxyResponse:
    """One response; ``body`` may have ``close``, which the server calls in any case (PEP 3333)."""

    status: int
    headers: Headers
    body: Iterable[bytes]
    reason: str = ""
    set_cookies: list[str] = field(default_factory=list)
    is_own: bool = False  # The gateway wrote it itself.
    is_complete: bool = False  # `ResponsePolicy` has seen the headers.

    @property
    def status_line(self) -> str:
        """The status with its reason; the service's own reason, if it gave one."""
        return f"{self.status} {self.reason or _reason(self.status)}"

    def all_headers(self, request_id: str) -> Headers:
        """The headers as they are sent."""
        return [*self.headers, *(("Set-Cookie", value) for value in self.set_cookies), ("X-Request-Id", request_id)]

    def close(self) -> None:
        """Close the body, when it cannot be sent."""
        close = getattr(self.body, "close", None)
        if close is not None:
            close()


@dataclass(frozen=True)
class ResponsePolicy:
    """The headers that every answer has, those of the gateway's own and those that it passes on."""

    strict_transport: bool

    def complete(self, headers: Headers, *, is_own: bool) -> Headers:
        """Add what is missing, and let no cache keep an answer that sets cookies (RFC 9111 7.3).

        ``is_own``: the gateway wrote the answer itself. What a service says of its own pages stays as it is.
        """
        names = {name.lower() for name, _ in headers}
        if "set-cookie" in names:
            headers = [(name, value) for name, value in headers if name.lower() not in ("cache-control", "expires")]
            headers.append(("Cache-Control", "private, no-store"))
        if "x-content-type-options" not in names:
            headers.append(("X-Content-Type-Options", "nosniff"))
        if is_own and "content-security-policy" not in names:
            headers.append(("Content-Security-Policy", _NO_CONTENT_POLICY))
        if self.strict_transport and "strict-transport-security" not in names:
            headers.append(("Strict-Transport-Security", "max-age=31536000; includeSubDomains"))
        return headers


def response_headers(headers: Headers, *, status: int) -> Headers:
    """Write the head for the client: the service's headers, each line as it came."""
    listed = listed_headers(",".join(value for name, value in headers if name.lower() == "connection"))
    drop = HOP_BY_HOP | listed | {"x-request-id"} | ({"content-length"} if status == 204 else set())
    lines = [(line, line[0].lower()) for line in headers]
    return [line for line, name in lines if name not in drop and not name.startswith("x-internal-")]


def without_ours(headers: Headers, *, is_of_session: Callable[[str], bool]) -> Headers:
    """Drop what a service of the operator may not say: cookies of a session of ours, and what is the gateway's to say.

    ``is_of_session`` takes the value of a Set-Cookie line.
    """
    lines = [(line, line[0].lower()) for line in headers]
    return [
        line
        for line, name in lines
        if name not in _NOT_FROM_OTHERS
        and not name.startswith("x-user-")
        and not (name == "set-cookie" and is_of_session(line[1]))
    ]


def problem_response(error: XinjingError, extra: Headers | None = None) -> ProxyResponse:
    """Answer an error with a problem, as every service does."""
    body = json.dumps(problem(error), ensure_ascii=False).encode()
    headers = [
        ("Content-Type", MEDIA_TYPE),
        ("Content-Length", str(len(body))),
        *problem_headers(error).items(),
        *(extra or []),
    ]
    return ProxyResponse(error.status, headers, [body], is_own=True)


def redirect_response(address: str) -> ProxyResponse:
    """Answer that a page stands at another address of ours, for good (RFC 9110 15.4.9)."""
    headers = [("Location", address), ("Content-Length", "0"), ("Cache-Control", "public, max-age=3600")]
    return ProxyResponse(308, headers, [], is_own=True)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"
