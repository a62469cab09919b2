"""Client addresses, shortened to what limits and session lists need."""

from ipaddress import IPv4Address, ip_address, ip_network


def limited_prefix(ip: str) -> str:
    """Return the network that shares one limit: an IPv4 address itself, an IPv6 /64 (one household has as much)."""
    return _prefix(ip, bits_v4=32, bits_v6=64)


def stored_prefix(ip: str) -> str:
    """Return the network that is kept with a session: enough to recognise a place, not a person (/24, /48)."""
    return _prefix(ip, bits_v4=24, bits_v6=48)


def _prefix(ip: str, *, bits_v4: int, bits_v6: int) -> str:
    try:
        address = ip_address(ip)
    except ValueError:
        return ""
    if not isinstance(address, IPv4Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    bits = bits_v4 if isinstance(address, IPv4Address) else bits_v6
    return str(ip_network((address, bits), strict=False))
