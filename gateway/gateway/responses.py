"""What the proxy gives to the WSGI server: a status line, headers, and the body's bytes."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from chassis.errors import XinjingError
from chassis.problems import MEDIA_TYPE, problem, problem_headers
from gateway.headers import Headers


@dataclass
class ProxyResponse:
    """One response; ``body`` may have ``close``, which the server calls in any case (PEP 3333)."""

    status: int
    headers: Headers
    body: Iterable[bytes]
    reason: str = ""
    set_cookies: list[str] = field(default_factory=list)

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


def problem_response(error: XinjingError, extra: Headers | None = None) -> ProxyResponse:
    """Answer an error with a problem, as every service does."""
    body = json.dumps(problem(error), ensure_ascii=False).encode()
    headers = [
        ("Content-Type", MEDIA_TYPE),
        ("Content-Length", str(len(body))),
        ("X-Content-Type-Options", "nosniff"),
        *problem_headers(error).items(),
        *(extra or []),
    ]
    return ProxyResponse(error.status, headers, [body])


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"
