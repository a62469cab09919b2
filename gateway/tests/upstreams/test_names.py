import threading
import time
from collections.abc import Callable

import pytest

from gateway.upstreams.names import Address, ServiceName, resolve_name

WAIT_SECONDS = 30


class Dns:
    """Answers as told, and counts."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    def __call__(self, name: str, port: int) -> list[Address]:
        assert name == "news-service"
        self.asked += 1
        if not self.addresses:
            raise OSError("no such name")
        return [(address, port) for address in self.addresses]


def make_name(dns: Dns, changes: list[str] | None = None) -> ServiceName:
    changed = [] if changes is None else changes
    return ServiceName("http://news-service:8000", on_change=lambda: changed.append("changed"), resolve=dns)


def wait_until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_name_stands_for_all_its_addresses_and_for_new_ones() -> None:
    dns, changes = Dns("192.0.2.1", "192.0.2.2"), []  # type: ignore[var-annotated]
    name = make_name(dns, changes)
    assert (name.host, name.addresses) == ("news-service:8000", ())
    name.refresh()
    assert name.addresses == (("192.0.2.1", 8000), ("192.0.2.2", 8000))
    name.refresh()
    assert changes == ["changed"]
    dns.addresses = ["192.0.2.3"]
    name.refresh()
    assert (name.addresses, changes) == ((("192.0.2.3", 8000),), ["changed"] * 2)


def test_the_last_good_answer_stays_while_the_dns_fails() -> None:
    dns = Dns("192.0.2.1")
    name = make_name(dns)
    name.refresh()
    dns.addresses = []
    name.refresh()
    assert name.addresses == (("192.0.2.1", 8000),)


def test_a_thread_asks_again_and_sooner_when_a_replica_fails() -> None:
    dns = Dns("192.0.2.1")
    name = make_name(dns)
    name.start()
    wait_until(lambda: name.addresses != ())
    dns.addresses = ["192.0.2.2"]
    name.refresh_soon()
    wait_until(lambda: name.addresses == (("192.0.2.2", 8000),))
    asked = dns.asked
    wait_until(lambda: dns.asked > asked)  # By itself.
    name.stop()
    assert not any(thread.name == "dns-news-service" for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("address", "host", "found"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("http://[::1]:8000/", "[::1]:8000", ("::1", 8000)),
        ("http://192.0.2.1", "192.0.2.1", ("192.0.2.1", 80)),
    ],
)
def test_nobody_is_asked_for_an_ip_address(address: str, host: str, found: Address) -> None:
    name = ServiceName(address, on_change=lambda: None, resolve=Dns())
    name.start()
    assert (name.host, name.addresses) == (host, (found,))
    name.stop()


def test_the_systems_names_are_known_and_others_are_an_error() -> None:
    assert ("127.0.0.1", 80) in resolve_name("localhost", 80)
    with pytest.raises(OSError, match=r".+"):
        resolve_name("no-such-name.invalid", 80)
