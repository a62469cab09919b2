"""An ended session is refused by every gateway within five seconds, whatever becomes of Redis."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from stage.client import ME, Client
from stage.revocation import BOUND_SECONDS, slowest_refusals

Get = Callable[..., Any]
TRIALS = 40  # `make bench` takes a thousand.


def test_T33_a_session_that_ends_is_refused_by_both_gateways_in_time(
    accounts: Any, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    slowest = slowest_refusals(accounts, client, trials=TRIALS)
    with capsys.disabled():
        print(f"\nT33, {TRIALS} trials at two gateways, slowest first 401:", *map(_in_words, slowest.items()))  # noqa: T201
    assert max(slowest.values()) < BOUND_SECONDS


def test_T33_a_gateway_that_starts_later_knows_what_ended(accounts: Any, ask: Get, register: Get) -> None:
    token = register().tokens["access_token"]
    assert ask(accounts.gateways[0], "DELETE", "/api/v1/sessions/current", token=token).status_code == 204
    late = accounts.start_gateway()
    try:
        assert ask(late, "GET", ME, token=token).status_code == 401
    finally:
        late.stop()


def test_T33_what_ended_while_redis_was_away_and_lost_everything_reaches_all_gateways(
    accounts: Any, ask: Get, register: Get, seconds_until_refused: Get
) -> None:
    known, unknown, living = (register().tokens["access_token"] for _ in range(3))
    ask(accounts.gateways[0], "DELETE", "/api/v1/sessions/current", token=known)
    seconds_until_refused(accounts.gateways[1], known, time.monotonic())
    accounts.redis.stop()
    try:
        answer = ask(accounts.gateways[0], "DELETE", "/api/v1/sessions/current", token=unknown)
    finally:
        accounts.lose_redis_data()
    begun_at = time.monotonic()
    assert answer.status_code == 204
    for gateway in accounts.gateways:
        assert seconds_until_refused(gateway, unknown, begun_at) < BOUND_SECONDS
        assert ask(gateway, "GET", ME, token=known).status_code == 401
        assert wait_for(lambda gateway=gateway: ask(gateway, "GET", ME, token=living).status_code == 200)


def test_T13_without_redis_sessions_go_on_reading_then_stop_and_come_back(
    accounts: Any, ask: Get, register: Get, log_in: Get
) -> None:
    person = register()
    gateway, token = accounts.gateways[0], person.tokens["access_token"]
    change = {"json": {"signature": "x"}, "token": token}
    assert ask(gateway, "PATCH", ME, **change).status_code == 200
    accounts.redis.stop()
    try:
        assert ask(gateway, "GET", ME, token=token).status_code == 200
        assert wait_for(lambda: ask(gateway, "PATCH", ME, **change).status_code == 503)
        assert ask(gateway, "GET", ME, token=token).status_code == 200
        assert log_in(person.mobile).status_code == 503
        assert wait_for(lambda: ask(gateway, "GET", ME, token=token).status_code == 503)
    finally:
        accounts.redis.start()
    assert wait_for(lambda: ask(gateway, "PATCH", ME, **change).status_code == 200)
    assert ask(gateway, "GET", ME, token=token).status_code == 200


def _in_words(measured: tuple[str, float]) -> str:
    return f"\n  {measured[1] * 1000:4.0f} ms  DELETE {measured[0]}"


def wait_for(is_so: Callable[[], bool], seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
