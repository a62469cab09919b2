"""Client addresses, shortened to what limits count by and to what may be stored."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

UNKNOWN = "unknown"


def client_network(address: str) -> str:
    """Return the name that a limit counts a client by: an IPv4 address itself, or the first address of an IPv6 /64.

    A household or a host gets a whole /64 (RFC 6177), so a limit on single IPv6 addresses would limit nobody. An
    IPv4-mapped IPv6 address counts as its IPv4 address. All texts that are no address share the one name ``unknown``:
    a client with an unreadable address must not escape a limit, and must not get a counter of its own by inventing one.
    """
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return UNKNOWN if parsed is None else str(parsed)


@lru_cache(1024)  # Each log line of a request asks.
def stored_prefix(address: str) -> str:
    """Return the network that may be stored: enough to recognise a place, not a person (IPv4 /24, IPv6 /48).

    It is empty for a text that is no address.
    """
    parsed = _parsed(address)
    if parsed is None:
        return ""
    if isinstance(parsed, IPv4Address):
        return str(IPv4Network((parsed, 24), strict=False))
    return str(IPv6Network((int(parsed), 48), strict=False))  # As a number: without the zone of fe80::1%eth0.


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
