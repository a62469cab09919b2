"""What the proxies in front of the gateway write about a client: X-Forwarded-For, -Proto, -Host and -Port.

Only proxies that we trust are believed, and nothing that they write is an error: what cannot be read counts as absent.
Forwarded (RFC 7239) and X-Real-IP are not read. A proxy that writes X-Forwarded-For passes on what a client put there.
"""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from structlog import get_logger

from chassis.metrics import registry
from gateway.metrics import FORWARDED_IGNORED, FORWARDED_IGNORED_AT
from gateway.settings import Network

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = get_logger(__name__)
_NAMES = ("X_FORWARDED_FOR", "X_FORWARDED_PROTO", "X_FORWARDED_HOST", "X_FORWARDED_PORT", "FORWARDED", "X_REAL_IP")
_HOST = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::[0-9]+)?|([0-9.]+):[0-9]+")  # [2001:db8::1]:443, 203.0.113.9:51008
_WARNING_SECONDS = 60
_REMARK_SECONDS = 600


@dataclass(frozen=True)
class Client:
    """Where a request comes from, and which scheme, host and port its sender opened.

    ``host`` is the client's text as it came, unchecked. ``port`` is empty unless a proxy names it.
    """

    ip: str
    scheme: str
    host: str
    port: str = ""


class TrustedProxies:
    """Reads the client of each request. ``networks`` are those of our own proxies. Threads share it."""

    def __init__(self, networks: tuple[Network, ...] = (), *, clock: Callable[[], float] = time.time) -> None:
        self._networks = networks
        self._clock = clock
        self._lock = threading.Lock()
        self._ignored = {"untrusted": (0.0, 0), "unreadable": (0.0, 0)}  # When it was said last, and how many since.

    def read_client(self, environ: "WSGIEnvironment") -> Client:
        """Read who sends a request; this never fails.

        Addresses are read from right to left: each trusted proxy vouches for the address before its own. Of scheme,
        host and port, the outermost trusted proxy's counts, if each of them wrote one.
        """
        peer, host = str(environ.get("REMOTE_ADDR", "")), str(environ.get("HTTP_HOST", ""))
        scheme = str(environ["wsgi.url_scheme"])
        headers = {name: str(environ[f"HTTP_{name}"]) for name in _NAMES if f"HTTP_{name}" in environ}
        if not headers or not self.is_proxy(environ):
            if headers:
                self._notice_ignored("untrusted", peer)
            return Client(peer, scheme, host)
        ip, hops = self._follow(peer, headers)
        forwarded = [_value(headers, name, hops) for name in ("X_FORWARDED_PROTO", "X_FORWARDED_HOST")]
        port = _value(headers, "X_FORWARDED_PORT", hops)
        return Client(
            ip,
            forwarded[0].lower() if forwarded[0].lower() in ("http", "https") else scheme,
            forwarded[1] if is_host(forwarded[1]) else host,
            port if re.fullmatch(r"[0-9]{1,5}", port) else "",
        )

    def is_proxy(self, environ: "WSGIEnvironment") -> bool:
        """Say whether a proxy that we trust sends a request, be it its own or one that it passes on."""
        return self._is_trusted(read_address(str(environ.get("REMOTE_ADDR", ""))))

    def remarks(self) -> dict[str, str]:
        """Say in ``/readyz`` whether any worker ignored such headers in the last ten minutes."""
        seen_at = registry().get_sample_value("gateway_forwarded_ignored_timestamp_seconds") or 0
        if self._clock() - seen_at > _REMARK_SECONDS:
            return {}
        return {"forwarded_headers": "Some are ignored, so users behind a proxy share limits: GATEWAY_TRUSTED_PROXIES."}

    def _follow(self, peer: str, headers: dict[str, str]) -> tuple[str, int]:
        """Return the client's address and how many trusted proxies stand in front of the gateway."""
        hops, ip = 1, peer
        for text in reversed([part for part in headers.get("X_FORWARDED_FOR", "").split(",") if part.strip()]):
            address = read_address(text)
            if address is None:
                break
            ip = str(address)
            if not self._is_trusted(address):
                return ip, hops
            hops += 1
        else:
            if "X_FORWARDED_FOR" in headers or not headers.keys() & {"FORWARDED", "X_REAL_IP"}:
                return ip, hops
        self._notice_ignored("unreadable", peer)
        return ip, hops

    def _is_trusted(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def _notice_ignored(self, reason: str, peer: str) -> None:
        """Count a request, and log the first of a minute."""
        now = self._clock()
        FORWARDED_IGNORED.labels(reason).inc()
        FORWARDED_IGNORED_AT.set(now)
        with self._lock:
            said_at, count = self._ignored[reason]
            is_due = now - said_at >= _WARNING_SECONDS
            self._ignored[reason] = (now, 0) if is_due else (said_at, count + 1)
        if is_due:
            log.warning("forwarded_headers_ignored", reason=reason, client_ip=peer, count=count + 1)


def is_host(text: str) -> bool:
    """Say whether a text is a host, or a host with a port, as RFC 9110 7.2 and RFC 3986 3.2.2 write it."""
    return bool(_HOST.fullmatch(text))


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address, also in brackets, in quotes or with a port; None for anything else.

    An IPv4-mapped IPv6 address is its IPv4 address.
    """
    text = text.strip().strip('"')
    with_port = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((with_port[1] or with_port[2]) if with_port else text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _value(headers: dict[str, str], name: str, hops: int) -> str:
    return headers.get(name, "").split(",")[-hops:][0].strip().strip('"')
