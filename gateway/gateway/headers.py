"""Chooses the headers that are forwarded: to the service (RFC 9110 7.6.1, no identity but ours) and to the client."""

import re
from collections.abc import Iterable, Iterator

from chassis.errors import UpstreamUnavailable
from chassis.identity import INTERNAL_TOKEN_HEADER
from gateway.proxy_request import ProxyRequest

Headers = list[tuple[str, str]]

_HOP_BY_HOP = frozenset(
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade"]
).union(["proxy-authenticate", "proxy-authorization"])
# The internal token replaces credentials; the gateway writes addresses and the framing of the body itself.
_NEVER_FROM_CLIENTS = frozenset(
    ["authorization", "cookie", "expect", "host", "content-length", "forwarded", "x-real-ip", "via", "x-request-id"]
)
_NEVER_PREFIXES = ("x-internal-", "x-user-", "x-forwarded-")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def request_headers(request: ProxyRequest, *, internal_token: str, request_id: str, other_cookies: str) -> Headers:
    """Write the head for a service: the client's headers without those that it may not send, then ours."""
    listed = _listed(request.header("Connection"))
    kept = [(name, value) for name, value in _client_headers(request) if not _is_dropped(name.lower(), listed)]
    if other_cookies:
        kept.append(("Cookie", other_cookies))
    return [
        *kept,
        ("X-Forwarded-For", request.client_ip),
        ("X-Forwarded-Proto", request.scheme),
        ("X-Forwarded-Host", request.host),
        ("Via", "1.1 xinjing"),
        ("X-Request-Id", request_id),
        (INTERNAL_TOKEN_HEADER, internal_token),
    ]


def response_headers(headers: Iterable[tuple[str, str]], *, status: int, strict_transport: bool) -> Headers:
    """Write the head for the client: the service's headers, each line as it came, and those that every response has.

    Raises:
        UpstreamUnavailable: two programs could read a name, a value or the body's length differently.
    """
    received = list(headers)
    _check(received)
    listed = _listed(",".join(value for name, value in received if name.lower() == "connection"))
    drop = _HOP_BY_HOP | listed | {"x-request-id"} | ({"content-length"} if status == 204 else set())
    kept = [(name, value) for name, value in received if name.lower() not in drop]
    kept = [(name, value) for name, value in kept if not name.lower().startswith("x-internal-")]
    if not any(name.lower() == "x-content-type-options" for name, _ in kept):
        kept.append(("X-Content-Type-Options", "nosniff"))
    if strict_transport:
        kept.append(("Strict-Transport-Security", "max-age=31536000"))
    return kept


def _client_headers(request: ProxyRequest) -> Iterator[tuple[str, str]]:
    for key, value in request.environ.items():
        if key.startswith("HTTP_"):
            yield key[5:].replace("_", "-").title(), value
    if request.environ.get("CONTENT_TYPE"):
        yield "Content-Type", request.environ["CONTENT_TYPE"]


def _is_dropped(name: str, listed: frozenset[str]) -> bool:
    return name in _HOP_BY_HOP or name in _NEVER_FROM_CLIENTS or name in listed or name.startswith(_NEVER_PREFIXES)


def _listed(connection: str) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in connection.split(",") if name.strip())


def _check(headers: Headers) -> None:
    for name, value in headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise UpstreamUnavailable("The service's response has a malformed header.")
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    codings = [value.strip().lower() for name, value in headers if name.lower() == "transfer-encoding"]
    if len(lengths) > 1 or (lengths and not re.fullmatch(r"[0-9]{1,18}", lengths[0])):
        raise UpstreamUnavailable("The service's response has a malformed length.")
    if codings and (lengths or codings != ["chunked"]):
        raise UpstreamUnavailable("The service's response has an ambiguous framing.")
