"""One request as the gateway reads and forwards it, head and body; ambiguous requests are refused.

A request is ambiguous if two programs could understand it differently. A path is checked on a decoded copy; the bytes
that are forwarded are those that the client sent. A body is read before the service is called. Only an upload, which
may be larger than `MAX_BODY_BYTES`, is passed on in steps.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from chassis.errors import HeadersTooLarge, NotFound, RequestRefused
from chassis.identity import FORWARDED_FOR_HEADER
from chassis.tracing import REQUEST_ID_HEADER, trace_headers
from gateway.proxy.forwarded import Client, is_host

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Headers = list[tuple[str, str]]
ENVIRON_KEY = "xinjing.proxy_request"
IDENTITY_HEADER = "X-Identity"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# RFC 3986 without the fragment, and what browsers send unencoded all the same; no backslash, no control bytes.
_TARGET = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/%|^`{}\[\]\"<>]*(?:\?[\x21-\x22\x24-\x5b\x5d-\x7e]*)?")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# An encoded slash or backslash, and encoded control bytes, mean one thing to us and another to the service.
_BAD_ENCODED = re.compile(r"%(?:2f|5c|[01][0-9a-f]|7f)", re.IGNORECASE)
_ABSOLUTE = re.compile(r"(https?://[^/?#]*)(.*)", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Our worker class keeps the lines apart, names in capitals (`serving.messages`); elsewhere equal ones are joined.
_HEADER_LINES = "xinjing.header_lines"
# gunicorn bounds each line; this bounds those of one name together.
_LONGEST_HEADER = 8190
_NONE: frozenset[str] = frozenset()
# RFC 9110 7.6.1.
HOP_BY_HOP = frozenset(
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade"]
).union(["proxy-authenticate", "proxy-authorization"])
# The gateway replaces credentials by an identity, and writes addresses, ids and the framing of the body itself.
_NEVER_FROM_CLIENTS = HOP_BY_HOP.union(
    ["authorization", "cookie", "expect", "host", "content-length", "forwarded", "x-real-ip", "via"],
    [REQUEST_ID_HEADER.lower(), "traceparent", "tracestate", IDENTITY_HEADER.lower()],
)
_NEVER_PREFIXES = ("x-internal-", "x-user-", "x-forwarded-")
_DOT_SEGMENT = re.compile(r"/\.{1,2}(?:;[^/]*)?(?:/|$)")
# The steps of an upload, and of a response.
SMALL_BYTES = 64 * 1024


Origin = tuple[str, str, int]


@dataclass(frozen=True)
class Target:
    """``raw`` is what is forwarded; ``path`` is its part before the question mark, as sent."""

    raw: str
    path: str

    @property
    def decoded_path(self) -> str:
        """The path as a service reads it."""
        return _decode(self.path)

    @property
    def query(self) -> str:
        """The part after the question mark, as sent."""
        return self.raw.partition("?")[2]


@dataclass(frozen=True)
class ProxyRequest:
    """What the proxy and the classic views decide by."""

    environ: "WSGIEnvironment"
    method: str
    target: Target
    client: Client

    @property
    def is_unsafe(self) -> bool:
        """Whether the method may change something."""
        return self.method not in SAFE_METHODS

    @property
    def own_origins(self) -> set[Origin]:
        """The origin of our pages as this client sees it, and the same with the port that a proxy names."""
        host, port = self.client.host, self.client.port
        texts = [host, f"{host}:{port}"] if port and not re.search(r":[0-9]+$", host) else [host]
        return {origin for text in texts if (origin := read_origin(f"{self.client.scheme}://{text}"))}

    def header(self, name: str) -> str:
        """Return a header's value, or an empty text."""
        return str(self.environ.get("HTTP_" + name.upper().replace("-", "_"), ""))

    def client_headers(self) -> dict[str, str]:
        """Return what a service is told about the client when the gateway calls the service itself."""
        return {FORWARDED_FOR_HEADER: self.client.ip, "User-Agent": self.header("User-Agent")}


def read_request(environ: "WSGIEnvironment", client: Client) -> ProxyRequest:
    """Read the head of one request.

    Raises:
        RequestRefused: the request target or the Host header is not acceptable.
        NotFound: the path is internal.
        HeadersTooLarge: a header is longer than the services behind read.
    """
    for key, value in environ.items():
        if key.startswith("HTTP_") and len(value) > _LONGEST_HEADER:
            raise HeadersTooLarge
    host = str(environ.get("HTTP_HOST", ""))
    if not is_host(host) or not is_host(client.host):
        raise RequestRefused("The Host header is missing or not acceptable.")
    raw = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "")
    target = read_target(_origin_form(raw, {host, client.host}))
    return ProxyRequest(environ=environ, method=str(environ["REQUEST_METHOD"]), target=target, client=client)


def request_headers(
    request: ProxyRequest, *, identity: Headers, request_id: str, strip_cookies: Callable[[str], str]
) -> Headers:
    """Write the head for a service: the client's headers, line by line, without those that it may not send, then ours.

    ``identity`` says to this service who sends the request; ``strip_cookies`` takes the session out of a Cookie line.
    """
    listed = listed_headers(request.header("Connection"))
    kept = []
    for name, value in _client_headers(request):
        if name == "Cookie" and (cookies := strip_cookies(value)):
            kept.append((name, cookies))
        elif not is_dropped(name.lower(), listed):
            kept.append((name, value))
    return [
        *kept,
        (FORWARDED_FOR_HEADER, request.client.ip),
        ("X-Forwarded-Proto", request.client.scheme),
        ("X-Forwarded-Host", request.client.host),
        ("Via", "1.1 xinjing"),
        (REQUEST_ID_HEADER, request_id),
        *trace_headers().items(),
        *identity,
    ]


def forwarded_value(environ: "WSGIEnvironment", lower_name: str, *, strip_cookies: Callable[[str], str]) -> str:
    """Return what a service is told under one name that clients write, equal lines joined; empty if nothing."""
    if lower_name == "content-type":  # The one that WSGI keeps elsewhere.
        return str(environ.get("CONTENT_TYPE", ""))
    value = str(environ.get("HTTP_" + lower_name.upper().replace("-", "_"), ""))
    if not value or lower_name == "cookie":
        return value and strip_cookies(value)
    return "" if is_dropped(lower_name, listed_headers(environ.get("HTTP_CONNECTION", ""))) else value


def values_of(headers: Headers, lower_name: str) -> list[str]:
    """Return the values of all lines with a name."""
    return [value for name, value in headers if name.lower() == lower_name]


def listed_headers(connection: str) -> frozenset[str]:
    """Return the names in a Connection header, which are hop-by-hop as well."""
    return frozenset([name.strip().lower() for name in connection.split(",") if name.strip()]) if connection else _NONE


def read_origin(address: str) -> Origin | None:
    """Read scheme, host and port of an address (RFC 6454 4); None if it has none that can be read.

    A port that is not named is the scheme's own, so that `http://h` and `http://h:80` are one origin.
    """
    try:
        parts = urlsplit(address.lower())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]


@lru_cache(1024)  # At most 8 MB, because gunicorn bounds the line of a request.
def read_target(raw: str) -> Target:
    """Check a request target.

    Raises:
        NotFound: it leads below ``/internal``, in whatever spelling.
        RequestRefused: it is not a plain path with a query, or ambiguous.
    """
    path = raw.partition("?")[0]
    if _is_internal(path):
        raise NotFound
    if not _TARGET.fullmatch(raw) or _BAD_PERCENT.search(path) or _BAD_ENCODED.search(path):
        raise RequestRefused("The path is not acceptable.")
    if _DOT_SEGMENT.search(_decode(path)):
        raise RequestRefused("The path is not acceptable.")
    return Target(raw, path)


def _origin_form(raw: str, hosts: set[str]) -> str:
    """Take scheme and host off a target that is a whole address (RFC 9112 3.2.2); they must be those of the request."""
    absolute = _ABSOLUTE.fullmatch(raw)
    if absolute is None:
        return raw
    address, rest = absolute.groups()
    scheme = address.partition(":")[0]
    if read_origin(address) not in [read_origin(f"{scheme}://{host}") or "" for host in hosts]:
        raise RequestRefused("The address is that of another host.")
    return rest if rest.startswith("/") else f"/{rest}"


def _decode(path: str) -> str:
    return unquote_to_bytes(path.encode("latin-1")).decode("utf-8", "replace")


def _is_internal(path: str) -> bool:
    previous, decoded = "", path
    while decoded != previous:
        # A server in front or behind may decode once more, so all layers are taken off.
        previous, decoded = decoded, unquote_to_bytes(decoded.encode("utf-8", "replace")).decode("utf-8", "replace")
    segments = [part.partition(";")[0].strip().casefold() for part in decoded.replace("\\", "/").split("/")]
    return next((part for part in segments if part not in ("", ".", "..")), "") == "internal"


def _client_headers(request: ProxyRequest) -> Iterator[tuple[str, str]]:
    lines = request.environ.get(_HEADER_LINES)
    if lines is None:  # Another worker class.
        items = request.environ.items()
        lines = [(key[5:].replace("_", "-"), value) for key, value in items if key.startswith("HTTP_")]
    for name, value in lines:
        if name != "CONTENT-TYPE":  # The gateway may have written another body.
            yield name.title(), value
    if request.environ.get("CONTENT_TYPE"):
        yield "Content-Type", request.environ["CONTENT_TYPE"]


def is_dropped(name: str, listed: frozenset[str] = _NONE) -> bool:
    """Say whether no service gets a header (in lower case) as the client sent it."""
    return name in _NEVER_FROM_CLIENTS or name in listed or name.startswith(_NEVER_PREFIXES)
