"""Two gateways on one Redis: what an address may ask for is counted over both, also over restarts and an outage."""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from local.redis_server import RedisServer

LIMIT = 12
CAPTCHAS = ("POST", "/api/v1/captchas")
ORDERS = "/api/orders/7"
ROUTES = """
services:
  orders: {{urls: ["{url}"]}}
routes:
  - {{path: "/api/orders/**", methods: [GET, POST], service: orders, access: signed-in,
     limit: {{per: user, rate: {rate}/minute}}}}
"""


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
def start(
    own_redis: RedisServer, start_gateway: Callable[..., Any], services: Any, tmp_path: Path
) -> Iterator[Callable[[], Any]]:
    """Start a gateway that allows an address so many captchas a minute, and a user as many calls of a foreign route."""
    (file := tmp_path / "orders.yaml").write_text(ROUTES.format(url=services.orders.url, rate=LIMIT))
    settings = {"captchas_per_ip_per_minute": str(LIMIT), "routes_file": str(file)}
    started = []

    def start() -> Any:
        started.append(start_gateway(redis_url=own_redis.url, **settings))
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop()


def statuses(gateways: list[Any], count: int, *request: str, tokens: Sequence[str] = ()) -> Counter[int]:
    """Ask at the gateways in turn, several at a time, and count the answers by status; for captchas by default."""
    headers = cycle([{"Authorization": f"Bearer {token}"} for token in tokens] or [{}])
    with ThreadPoolExecutor(4) as pool:
        asked = [
            pool.submit(gateways[number % len(gateways)].ask, *(request or CAPTCHAS), headers=next(headers))
            for number in range(count)
        ]
        return Counter(each.result().status for each in asked)


def test_an_address_has_one_limit_at_both_gateways_and_after_a_restart(start: Callable[[], Any], services: Any) -> None:
    first, second = start(), start()
    assert statuses([first, second], LIMIT + 8) == {200: LIMIT, 429: 8}
    first.stop()
    assert statuses([start(), second], 4) == {429: 4}
    assert services.captcha.count("POST", "/api/v1/captchas") == LIMIT


def test_a_user_has_one_limit_of_a_foreign_route_at_both_gateways_and_in_all_sessions(
    start: Callable[[], Any], services: Any, sign: Callable[..., str]
) -> None:
    gateways = [start(), start()]
    # Three sessions at two gateways, so that each session comes by both.
    sessions = [sign(sub="7", sid=f"session-{number}") for number in range(3)]
    assert statuses(gateways, LIMIT + 9, "GET", ORDERS, tokens=sessions) == {200: LIMIT, 429: 9}
    assert statuses(gateways, 2, "POST", "/api/orders", tokens=sessions) == {429: 2}
    assert statuses(gateways, LIMIT, "GET", ORDERS, tokens=[sign(sub="8")]) == {200: LIMIT}
    gateways[0].stop()
    assert statuses([start(), gateways[1]], 4, "GET", ORDERS, tokens=[sign(sub="8"), sign(sub="7")]) == {429: 4}
    assert len(services.orders.requests) == 2 * LIMIT


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
