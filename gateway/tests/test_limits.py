from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from chassis.errors import TooManyRequests
from gateway.limits import AddressLimits
from gateway.rules import Limit
from gateway.settings import Settings

MakeSettings = Callable[..., Settings]


def test_an_ipv6_subscriber_is_counted_as_a_network(redis: Redis, make_settings: MakeSettings) -> None:
    limits = AddressLimits(make_settings(sessions_per_ip_per_minute=1))
    limits.charge(Limit.SESSIONS, "2001:db8:1:2:3:4:5:6")
    limits.charge(Limit.SESSIONS, "2001:db8:1:3::1")
    with pytest.raises(TooManyRequests):
        limits.charge(Limit.SESSIONS, "2001:db8:1:2::9")


def test_addresses_that_nobody_can_read_share_one_count(redis: Redis, make_settings: MakeSettings) -> None:
    limits = AddressLimits(make_settings(sessions_per_ip_per_minute=1))
    limits.charge(Limit.SESSIONS, "unreadable")
    with pytest.raises(TooManyRequests):
        limits.charge(Limit.SESSIONS, "")


def test_addresses_have_their_own_counts(redis: Redis, make_settings: MakeSettings) -> None:
    limits = AddressLimits(make_settings(sessions_per_ip_per_minute=1))
    limits.charge(Limit.SESSIONS, "1.1.1.1")
    limits.charge(Limit.SESSIONS, "2.2.2.2")
    limits.charge(Limit.USERS, "1.1.1.1")
    with pytest.raises(TooManyRequests) as refused:
        limits.charge(Limit.SESSIONS, "1.1.1.1")
    assert 1 <= (refused.value.retry_after_seconds or 0) <= 60
    assert all(key.startswith("gateway:limits") for key in redis.scan_iter())


def test_without_redis_the_limits_let_pass_and_cost_no_time(make_settings: MakeSettings, clock: Any) -> None:
    limits = AddressLimits(
        make_settings(redis_url="unix:///nowhere/redis.sock", sessions_per_ip_per_minute=1), clock=clock
    )
    for _ in range(5):
        limits.charge(Limit.SESSIONS, "1.1.1.1")
