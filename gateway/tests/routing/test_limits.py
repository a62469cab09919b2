import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis import Redis

from chassis.errors import TooManyRequests
from gateway.routing.limits import RequestLimits
from gateway.routing.rules import Limit
from gateway.settings import Settings

MakeSettings = Callable[..., Settings]


def test_an_ipv6_subscriber_is_counted_as_a_network(redis: Redis, make_settings: MakeSettings) -> None:
    limits = RequestLimits(make_settings(sessions_per_ip_per_minute=1))
    limits.charge(Limit.SESSIONS, "2001:db8:1:2:3:4:5:6")
    limits.charge(Limit.SESSIONS, "2001:db8:1:3::1")
    with pytest.raises(TooManyRequests):
        limits.charge(Limit.SESSIONS, "2001:db8:1:2::9")


def test_addresses_that_nobody_can_read_share_one_count(redis: Redis, make_settings: MakeSettings) -> None:
    limits = RequestLimits(make_settings(sessions_per_ip_per_minute=1))
    limits.charge(Limit.SESSIONS, "unreadable")
    with pytest.raises(TooManyRequests):
        limits.charge(Limit.SESSIONS, "")


def test_addresses_have_their_own_counts(redis: Redis, make_settings: MakeSettings) -> None:
    limits = RequestLimits(make_settings(sessions_per_ip_per_minute=1))
    limits.charge(Limit.SESSIONS, "1.1.1.1")
    limits.charge(Limit.SESSIONS, "2.2.2.2")
    limits.charge(Limit.USERS, "1.1.1.1")
    with pytest.raises(TooManyRequests) as refused:
        limits.charge(Limit.SESSIONS, "1.1.1.1")
    assert 1 <= (refused.value.retry_after_seconds or 0) <= 60
    assert all(key.startswith("gateway:limits") for key in redis.scan_iter())


@pytest.fixture
def absent_redis(tmp_path: Path) -> Path:
    """The path of a socket that is not there, until a test links it to the real one."""
    return tmp_path / "redis.sock"


def test_without_redis_every_request_passes(make_settings: MakeSettings, absent_redis: Path, clock: Any) -> None:
    limits = RequestLimits(make_settings(redis_url=f"unix://{absent_redis}", sessions_per_ip_per_minute=1), clock=clock)
    for _ in range(5):
        limits.charge(Limit.SESSIONS, "1.1.1.1")


def test_after_a_failure_redis_is_not_asked_for_two_seconds(
    redis: Redis, redis_url: str, make_settings: MakeSettings, absent_redis: Path, clock: Any
) -> None:
    limits = RequestLimits(make_settings(redis_url=f"unix://{absent_redis}", sessions_per_ip_per_minute=1), clock=clock)
    limits.charge(Limit.SESSIONS, "1.1.1.1")
    absent_redis.symlink_to(redis_url.removeprefix("unix://"))
    clock.now += 1.9
    limits.charge(Limit.SESSIONS, "1.1.1.1")
    assert redis.dbsize() == 0
    clock.now += 0.1
    limits.charge(Limit.SESSIONS, "1.1.1.1")
    with pytest.raises(TooManyRequests):
        limits.charge(Limit.SESSIONS, "1.1.1.1")


def test_every_request_that_was_not_counted_is_a_metric(
    make_settings: MakeSettings, absent_redis: Path, clock: Any
) -> None:
    before = REGISTRY.get_sample_value("gateway_limits_unreachable_total")
    limits = RequestLimits(make_settings(redis_url=f"unix://{absent_redis}"), clock=clock)
    for _ in range(3):
        limits.charge(Limit.SESSIONS, "1.1.1.1")
    assert REGISTRY.get_sample_value("gateway_limits_unreachable_total") == (before or 0) + 3


@pytest.fixture(params=["before-the-connection", "before-the-answer"])
def hanging_redis(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that never accepts a connection; one connection fits into its queue, or none."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        if request.param == "before-the-connection":
            stack.enter_context(socket.create_connection(server.getsockname()))
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def test_a_redis_that_hangs_costs_a_quarter_of_a_second(make_settings: MakeSettings, hanging_redis: str) -> None:
    limits = RequestLimits(make_settings(redis_url=hanging_redis))
    begun_at = time.monotonic()
    limits.charge(Limit.SESSIONS, "1.1.1.1")
    # The kernel would try to connect for two minutes, and without a time-out the answer would never come.
    assert 0.2 < time.monotonic() - begun_at < 60
