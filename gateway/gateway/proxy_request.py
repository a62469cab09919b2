"""One request as the gateway reads and forwards it, head and body; ambiguous requests are refused.

A request is ambiguous if two programs could understand it differently. A path is checked on a decoded copy; the bytes
that are forwarded are those that the client sent. A small body is read before the service is called, a larger one in
steps, none beyond the cap.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from chassis.errors import BodyTooLarge, NotFound, RequestRefused
from chassis.identity import INTERNAL_TOKEN_HEADER
from chassis.tracing import accept_request_id
from gateway.settings import Network

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Headers = list[tuple[str, str]]
ENVIRON_KEY = "xinjing.proxy_request"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# RFC 3986 without the fragment, and what browsers send unencoded all the same; no backslash, no control bytes.
_TARGET = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/%|^`{}\[\]\"<>]*(?:\?[\x21-\x22\x24-\x5b\x5d-\x7e]*)?")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# An encoded slash or backslash, and encoded control bytes, mean one thing to us and another to the service.
_BAD_ENCODED = re.compile(r"%(?:2f|5c|[01][0-9a-f]|7f)", re.IGNORECASE)
_HOST = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+;=%-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?")
# RFC 9110 7.6.1.
HOP_BY_HOP = frozenset(
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade"]
).union(["proxy-authenticate", "proxy-authorization"])
# The internal token replaces credentials; the gateway writes addresses and the framing of the body itself.
_NEVER_FROM_CLIENTS = frozenset(
    ["authorization", "cookie", "expect", "host", "content-length", "forwarded", "x-real-ip", "via", "x-request-id"]
)
_NEVER_PREFIXES = ("x-internal-", "x-user-", "x-forwarded-")
# A body up to this size is complete before the service is called, so a client that breaks off costs it nothing.
SMALL_BYTES = 64 * 1024


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
    host: str
    scheme: str
    client_ip: str

    @property
    def is_unsafe(self) -> bool:
        """Whether the method may change something."""
        return self.method not in SAFE_METHODS

    @property
    def own_origin(self) -> str:
        """The origin of our pages as this client sees it."""
        return f"{self.scheme}://{self.host}".lower()

    def header(self, name: str) -> str:
        """Return a header's value, or an empty text."""
        return str(self.environ.get("HTTP_" + name.upper().replace("-", "_"), ""))

    def client_headers(self) -> dict[str, str]:
        """Return what a service is told about the client when the gateway calls the service itself."""
        return {"X-Forwarded-For": self.client_ip, "User-Agent": self.header("User-Agent")}


@dataclass(frozen=True)
class Body:
    """``chunks`` holds the bytes; ``length`` is None if it is only known after the last byte."""

    chunks: bytes | Iterator[bytes]
    length: int | None

    @property
    def is_empty(self) -> bool:
        """Whether there is no body at all."""
        return self.length == 0


@dataclass(frozen=True)
class RequestReader:
    """Reads requests. ``trusted_proxies`` are the networks of our own load balancers."""

    trusted_proxies: tuple[Network, ...] = ()

    def read_request(self, environ: "WSGIEnvironment") -> ProxyRequest:
        """Read the head of one request.

        Raises:
            RequestRefused: the request target or the Host header is not acceptable.
            NotFound: the path is internal.
        """
        target = read_target(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "")
        host = environ.get("HTTP_HOST", "")
        if not _HOST.fullmatch(host):
            raise RequestRefused("The Host header is missing or not acceptable.")
        peer = str(environ.get("REMOTE_ADDR", ""))
        is_trusted = self._is_trusted(peer)
        forwarded_for = str(environ.get("HTTP_X_FORWARDED_FOR", "")) if is_trusted else ""
        forwarded_scheme = str(environ.get("HTTP_X_FORWARDED_PROTO", "")) if is_trusted else ""
        return ProxyRequest(
            environ=environ,
            method=str(environ["REQUEST_METHOD"]),
            target=target,
            host=host,
            scheme=forwarded_scheme if forwarded_scheme in ("http", "https") else str(environ["wsgi.url_scheme"]),
            client_ip=self._client_ip(peer, forwarded_for),
        )

    def _client_ip(self, peer: str, forwarded_for: str) -> str:
        # From right to left: each trusted proxy vouches for the address before its own.
        for address in reversed([part.strip() for part in forwarded_for.split(",") if part.strip()]):
            if _parsed(address) is None:
                raise RequestRefused("The X-Forwarded-For header is not acceptable.")
            peer = address
            if not self._is_trusted(address):
                break
        return peer

    def _is_trusted(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self.trusted_proxies)


def read_body(environ: "WSGIEnvironment", *, cap_bytes: int) -> Body:
    """Read a small body whole, or prepare a larger one for streaming.

    Raises:
        BodyTooLarge: the declared length is over the cap; while streaming, the iterator raises it.
        RequestRefused: the client broke off, or its chunks are malformed.
    """
    declared = _declared_length(environ)
    if declared is not None and declared > cap_bytes:
        raise BodyTooLarge
    if declared is None and "HTTP_TRANSFER_ENCODING" not in environ:
        return Body(b"", 0)
    stream: IO[bytes] = environ["wsgi.input"]
    first = _read_up_to(stream, SMALL_BYTES if declared is None else min(declared, SMALL_BYTES))
    if declared is None and len(first) < SMALL_BYTES:
        return Body(first, len(first))
    if declared is not None and declared <= SMALL_BYTES:
        _check_whole(len(first), declared)
        return Body(first, declared)
    return Body(_stream_rest(stream, first, declared=declared, cap_bytes=cap_bytes), declared)


def request_id_of(environ: "WSGIEnvironment") -> str:
    """Take the client's request id or make one, and keep it for everything that reads this request later."""
    request_id = accept_request_id(environ.get("HTTP_X_REQUEST_ID"))
    environ["HTTP_X_REQUEST_ID"] = request_id
    return request_id


def request_headers(request: ProxyRequest, *, internal_token: str, request_id: str, other_cookies: str) -> Headers:
    """Write the head for a service: the client's headers without those that it may not send, then ours."""
    listed = listed_headers(request.header("Connection"))
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


def listed_headers(connection: str) -> frozenset[str]:
    """Return the names in a Connection header, which are hop-by-hop as well."""
    return frozenset(name.strip().lower() for name in connection.split(",") if name.strip())


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
    for segment in _decode(path).split("/"):
        if segment.partition(";")[0] in (".", ".."):
            raise RequestRefused("The path is not acceptable.")
    return Target(raw, path)


def _decode(path: str) -> str:
    return unquote_to_bytes(path.encode("latin-1")).decode("utf-8", "replace")


def _is_internal(path: str) -> bool:
    previous, decoded = "", path
    while decoded != previous:
        # A server in front or behind may decode once more, so all layers are taken off.
        previous, decoded = decoded, unquote_to_bytes(decoded.encode("utf-8", "replace")).decode("utf-8", "replace")
    segments = [part.partition(";")[0].strip().casefold() for part in decoded.replace("\\", "/").split("/")]
    return next((part for part in segments if part not in ("", ".", "..")), "") == "internal"


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


def _client_headers(request: ProxyRequest) -> Iterator[tuple[str, str]]:
    for key, value in request.environ.items():
        if key.startswith("HTTP_"):
            yield key[5:].replace("_", "-").title(), value
    if request.environ.get("CONTENT_TYPE"):
        yield "Content-Type", request.environ["CONTENT_TYPE"]


def _is_dropped(name: str, listed: frozenset[str]) -> bool:
    return name in HOP_BY_HOP or name in _NEVER_FROM_CLIENTS or name in listed or name.startswith(_NEVER_PREFIXES)


def _declared_length(environ: "WSGIEnvironment") -> int | None:
    text = environ.get("CONTENT_LENGTH", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise RequestRefused("The Content-Length is not acceptable.")
    return int(text)


def _stream_rest(stream: IO[bytes], first: bytes, *, declared: int | None, cap_bytes: int) -> Iterator[bytes]:
    done, chunk = 0, first
    while chunk:
        done += len(chunk)
        if done > cap_bytes:
            raise BodyTooLarge
        yield chunk
        left = SMALL_BYTES if declared is None else min(SMALL_BYTES, declared - done)
        chunk = _read_up_to(stream, left) if left else b""
    if declared is not None:
        _check_whole(done, declared)


def _read_up_to(stream: IO[bytes], size: int) -> bytes:
    """Read up to ``size`` bytes; fewer only at the end."""
    parts, left = [], size
    while left:
        try:
            part = stream.read(left)
        except Exception as error:  # The server's parser raises many kinds for malformed chunks or a lost client.
            raise RequestRefused("The body broke off or is malformed.") from error
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _check_whole(got: int, declared: int) -> None:
    if got != declared:
        raise RequestRefused("The body is shorter than its Content-Length.")
