import pytest

from user_service.addresses import limited_prefix, stored_prefix


@pytest.mark.parametrize(
    ("ip", "limited", "stored"),
    [
        ("203.0.113.7", "203.0.113.7/32", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7/32", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("unknown", "", ""),
        ("", "", ""),
    ],
)
def test_addresses_are_shortened_by_their_kind(ip, limited, stored):
    assert (limited_prefix(ip), stored_prefix(ip)) == (limited, stored)
