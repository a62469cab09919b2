"""Two gateways on one Redis: what an address may ask for is counted over both, also over restarts and an outage."""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.redis_server import RedisServer

LIMIT = 12


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that a test may stop; it keeps its data."""
    folder = Path(tempfile.mkdtemp(prefix="xj"))  # Short, because a socket's path must be.
    server = RedisServer(folder / "redis", folder / "redis.sock")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start(own_redis: RedisServer, start_gateway: Callable[..., Any], services: Any) -> Iterator[Callable[[], Any]]:
    """Start a gateway that allows an address so many captchas a minute."""
    started = []

    def start() -> Any:
        started.append(start_gateway(redis_url=own_redis.url, captchas_per_ip_per_minute=str(LIMIT)))
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop()


def statuses(gateways: list[Any], count: int) -> Counter[int]:
    """Ask for captchas at the gateways in turn, several at a time, and count the answers by status."""
    with ThreadPoolExecutor(4) as pool:
        asked = [
            pool.submit(gateways[number % len(gateways)].ask, "POST", "/api/v1/captchas") for number in range(count)
        ]
        return Counter(each.result().status for each in asked)


def test_an_address_has_one_limit_at_both_gateways_and_after_a_restart(start: Callable[[], Any], services: Any) -> None:
    first, second = start(), start()
    assert statuses([first, second], LIMIT + 8) == {200: LIMIT, 429: 8}
    first.stop()
    assert statuses([start(), second], 4) == {429: 4}
    assert services.captcha.count("POST", "/api/v1/captchas") == LIMIT


def test_without_redis_both_let_everybody_through_and_count_on_when_it_returns(
    start: Callable[[], Any], own_redis: RedisServer
) -> None:
    gateways = [start(), start()]
    assert statuses(gateways, LIMIT) == {200: LIMIT}
    own_redis.stop()
    assert statuses(gateways, LIMIT + 8) == {200: LIMIT + 8}
    assert [gateway.counts()["gateway_limits_unreachable_total"] for gateway in gateways] == [LIMIT // 2 + 4] * 2
    own_redis.start()
    end = time.monotonic() + 20
    while statuses(gateways, 2) != {429: 2}:
        assert time.monotonic() < end
        time.sleep(0.1)
