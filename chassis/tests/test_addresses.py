import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.addresses import UNKNOWN, client_network, stored_prefix


@pytest.mark.parametrize(
    ("address", "limited", "stored"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1::/48"),
        ("::1", "::", "::/48"),
        ("fe80::1%eth0", "fe80::", "fe80::/48"),
    ],
)
def test_addresses_are_shortened_by_their_kind(address: str, limited: str, stored: str) -> None:
    assert (client_network(address), stored_prefix(address)) == (limited, stored)


@pytest.mark.parametrize("text", ["", "unknown", "203.0.113.7:80", " 203.0.113.7", "203.0.113.007", "2001:db8::/64"])
def test_what_is_no_address_has_one_limit_and_is_not_stored(text: str) -> None:
    assert (client_network(text), stored_prefix(text)) == (UNKNOWN, "")


@given(st.text())
def test_no_text_gets_a_limit_of_its_own(text: str) -> None:
    assert client_network(text) == UNKNOWN or stored_prefix(text)


@given(st.ip_addresses(v=6), st.integers(min_value=0, max_value=2**64 - 1))
def test_all_addresses_of_a_64_share_one_limit(address: object, other: int) -> None:
    neighbour = type(address)(int(address) >> 64 << 64 | other)  # type: ignore[call-overload]
    if not address.ipv4_mapped and not neighbour.ipv4_mapped:  # type: ignore[attr-defined]
        assert client_network(str(address)) == client_network(str(neighbour))
