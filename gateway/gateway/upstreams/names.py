"""The addresses behind a configured name: a thread asks the DNS, so that no request waits for it."""

import ipaddress
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from structlog import get_logger

log = get_logger(__name__)
_AGAIN_SECONDS = 2.0
_SHORTEST_SECONDS = 0.5  # Between two questions, also while a replica is away.
_JOIN_SECONDS = 1.0  # Nothing ends a question to the DNS; the thread dies with the process.

Address = tuple[str, int]


def resolve_name(name: str, port: int) -> list[Address]:
    """Ask the system for the IPv4 and IPv6 addresses of a name.

    Raises:
        OSError: the name is unknown, or the DNS does not answer.
    """
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return sorted({(str(address[0]), port) for *_, address in found})


class ServiceName:
    """One configured address, as ``http://news-service:8000``: a name with all its addresses, or an IP address.

    ``on_change`` is called with every new set of addresses. When the DNS fails, the last good answer stays.
    """

    def __init__(
        self,
        address: str,
        *,
        on_change: Callable[[], None],
        resolve: Callable[[str, int], list[Address]] = resolve_name,
    ) -> None:
        parts = urlsplit(address)
        self.host = parts.netloc
        self._name, self._port = parts.hostname or "", parts.port or 80
        self._on_change = on_change
        self._resolve = resolve
        self._is_answered = True
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.addresses: tuple[Address, ...] = ((self._name, self._port),) if _is_ip(self._name) else ()

    def start(self) -> None:
        """Start asking, if it is a name; called after the fork."""
        if not _is_ip(self._name):
            self._thread = threading.Thread(target=self._run, name=f"dns-{self._name}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; one that waits for the DNS ends later."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_JOIN_SECONDS)

    def refresh_soon(self) -> None:
        """Ask again now, because a replica does not answer."""
        self._wake.set()

    def refresh(self) -> None:
        """Ask once."""
        try:
            found = tuple(self._resolve(self._name, self._port))
        except (OSError, UnicodeError) as error:  # The latter: it is no name at all.
            if self._is_answered:
                log.warning("name_not_resolved", name=self._name, error=str(error))
            self._is_answered = False
            return
        self._is_answered = True
        if found and found != self.addresses:
            self.addresses = found
            self._on_change()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.refresh()
            self._stopped.wait(_SHORTEST_SECONDS)
            self._wake.wait(_AGAIN_SECONDS if self.addresses else _SHORTEST_SECONDS)
            self._wake.clear()


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
