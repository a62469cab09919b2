"""Which headers travel on: to the service (RFC 9110 7.6.1, and no identity but ours) and back to the client."""

import re
from collections.abc import Iterable, Iterator

from chassis.errors import UpstreamUnavailable
from chassis.identity import INTERNAL_TOKEN_HEADER
from gateway.incoming import Incoming

Headers = list[tuple[str, str]]

_HOP_BY_HOP = frozenset(
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade"]
).union(["proxy-authenticate", "proxy-authorization"])
# The internal token replaces credentials; the addresses are written anew; the body's framing is ours.
_NEVER_FROM_CLIENTS = frozenset(
    ["authorization", "cookie", "expect", "host", "content-length", "forwarded", "x-real-ip", "via", "x-request-id"]
)
_NEVER_PREFIXES = ("x-internal-", "x-user-", "x-forwarded-")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def request_headers(incoming: Incoming, *, internal_token: str, request_id: str, other_cookies: str) -> Headers:
    """Write the head for a service: the client's headers without those that are not its business, then ours."""
    listed = _listed(incoming.header("Connection"))
    kept = [(name, value) for name, value in _client_headers(incoming) if not _is_dropped(name.lower(), listed)]
    if other_cookies:
        kept.append(("Cookie", other_cookies))
    return [
        *kept,
        ("X-Forwarded-For", incoming.client_ip),
        ("X-Forwarded-Proto", incoming.scheme),
        ("X-Forwarded-Host", incoming.host),
        ("Via", "1.1 xinjing"),
        ("X-Request-Id", request_id),
        (INTERNAL_TOKEN_HEADER, internal_token),
    ]


def answer_headers(headers: Iterable[tuple[str, str]], *, status: int, strict_transport: bool) -> Headers:
    """Pass on the head of a service's answer, duplicates apart, and add what every answer has.

    Raises:
        UpstreamUnavailable: a name or a value could be read in two ways, or the body has two lengths.
    """
    found = list(headers)
    _check(found)
    listed = _listed(",".join(value for name, value in found if name.lower() == "connection"))
    drop = _HOP_BY_HOP | listed | {"x-request-id"} | ({"content-length"} if status == 204 else set())
    kept = [(name, value) for name, value in found if name.lower() not in drop]
    kept = [(name, value) for name, value in kept if not name.lower().startswith("x-internal-")]
    if not any(name.lower() == "x-content-type-options" for name, _ in kept):
        kept.append(("X-Content-Type-Options", "nosniff"))
    if strict_transport:
        kept.append(("Strict-Transport-Security", "max-age=31536000"))
    return kept


def _client_headers(incoming: Incoming) -> Iterator[tuple[str, str]]:
    for key, value in incoming.environ.items():
        if key.startswith("HTTP_"):
            yield key[5:].replace("_", "-").title(), value
    if incoming.environ.get("CONTENT_TYPE"):
        yield "Content-Type", incoming.environ["CONTENT_TYPE"]


def _is_dropped(name: str, listed: frozenset[str]) -> bool:
    return name in _HOP_BY_HOP or name in _NEVER_FROM_CLIENTS or name in listed or name.startswith(_NEVER_PREFIXES)


def _listed(connection: str) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in connection.split(",") if name.strip())


def _check(headers: Headers) -> None:
    for name, value in headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise UpstreamUnavailable("The service's answer has a malformed header.")
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    codings = [value.strip().lower() for name, value in headers if name.lower() == "transfer-encoding"]
    if len(lengths) > 1 or (lengths and not re.fullmatch(r"[0-9]{1,18}", lengths[0])):
        raise UpstreamUnavailable("The service's answer has a malformed length.")
    if codings and (lengths or codings != ["chunked"]):
        raise UpstreamUnavailable("The service's answer has an ambiguous framing.")
