"""One request as the gateway sees it: who sends it, from where, to which address, with which credentials."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from chassis.errors import RequestRefused
from chassis.tracing import accept_request_id
from gateway.paths import Target, check_host, read_target
from gateway.settings import Network

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ENVIRON_KEY = "xinjing.incoming"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Incoming:
    """What the steps of the edge and the classic views decide by."""

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


def request_id_of(environ: "WSGIEnvironment") -> str:
    """Take the client's request id or make one, and keep it for everything that reads this request later."""
    request_id = accept_request_id(environ.get("HTTP_X_REQUEST_ID"))
    environ["HTTP_X_REQUEST_ID"] = request_id
    return request_id


class Reception:
    """Reads requests; knows which peers are our own load balancers."""

    def __init__(self, trusted_proxies: tuple[Network, ...] = ()) -> None:
        self._trusted = trusted_proxies

    def read(self, environ: "WSGIEnvironment") -> Incoming:
        """Read the head of one request.

        Raises:
            RequestRefused: the request target or the Host header is not acceptable.
            NotFound: the path is internal.
        """
        target = read_target(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "")
        host = check_host(environ.get("HTTP_HOST", ""))
        peer = str(environ.get("REMOTE_ADDR", ""))
        is_trusted = self._trusts(peer)
        forwarded = str(environ.get("HTTP_X_FORWARDED_FOR", "")) if is_trusted else ""
        said = str(environ.get("HTTP_X_FORWARDED_PROTO", "")) if is_trusted else ""
        return Incoming(
            environ=environ,
            method=str(environ["REQUEST_METHOD"]),
            target=target,
            host=host,
            scheme=said if said in ("http", "https") else str(environ["wsgi.url_scheme"]),
            client_ip=self._client(peer, forwarded),
        )

    def _client(self, peer: str, forwarded: str) -> str:
        # From right to left: each trusted proxy vouches for the address before its own.
        for said in reversed([part.strip() for part in forwarded.split(",") if part.strip()]):
            if _parsed(said) is None:
                raise RequestRefused("The X-Forwarded-For header is not acceptable.")
            peer = said
            if not self._trusts(said):
                break
        return peer

    def _trusts(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None
