import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis, ResponseError

from chassis.errors import DependencyUnavailable
from chassis.redis_client import connect_redis, redis_errors


@pytest.fixture
def client(redis: Redis, redis_url: str) -> Iterator[Redis]:
    with connect_redis(redis_url) as ours:
        yield ours


def test_answers_are_texts(client: Redis) -> None:
    client.set("a", "新")
    assert client.get("a") == "新"


def test_bytes_that_are_no_text_do_not_break_an_answer(client: Redis) -> None:
    client.rpush("a", b"\xff", "新")
    assert client.lrange("a", 0, -1) == ["\ufffd", "新"]


def test_the_shapes_of_answers_are_those_of_the_old_protocol(client: Redis) -> None:
    client.xgroup_create("s", "g", id="0", mkstream=True)
    assert client.xreadgroup("g", "me", {"s": ">"}) == []
    entry = client.xadd("s", {"a": "1"})
    assert client.xreadgroup("g", "me", {"s": ">"}) == [["s", [(entry, {"a": "1"})]]]
    assert client.xautoclaim("s", "g", "other", min_idle_time=0)[:2] == ["0-0", [(entry, {"a": "1"})]]
    client.zadd("z", {"a": 1.0})
    assert client.zrange("z", 0, -1, withscores=True) == [("a", 1.0)]
    assert client.zpopmin("z") == [("a", 1.0)]
    client.hset("h", mapping={"a": "1"})
    assert client.hgetall("h") == {"a": "1"}


def test_a_redis_that_is_away_fails_without_waiting_for_the_timeout(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    for url in (f"unix://{tmp_path}/none.sock", f"redis://127.0.0.1:{free_port()}/0"):
        begun = time.monotonic()
        with pytest.raises(DependencyUnavailable), redis_errors(), connect_redis(url, timeout_seconds=60) as away:
            away.get("a")
        assert time.monotonic() - begun < 60


def test_a_redis_that_hangs_fails_after_the_timeout(client: Redis, redis_url: str) -> None:
    impatient = connect_redis(redis_url, timeout_seconds=0.2)
    with pytest.raises(DependencyUnavailable), redis_errors(), impatient:
        impatient.blpop(["nothing"], timeout=60)  # Redis would answer in a minute.


def test_a_full_pool_fails_instead_of_growing(redis_url: str, redis: Redis) -> None:
    with connect_redis(redis_url, max_connections=1, timeout_seconds=0.1) as ours:
        taken = ours.connection_pool.get_connection()
        with pytest.raises(DependencyUnavailable), redis_errors():
            ours.get("a")
        ours.connection_pool.release(taken)
        assert ours.get("a") is None


def test_a_command_is_not_sent_twice(client: Redis, redis: Redis) -> None:
    client.set("n", 0)
    script = "redis.call('INCR', 'n') return redis.error_reply('LOADING later')"
    with pytest.raises(DependencyUnavailable) as raised, redis_errors():
        client.eval(script, 0)
    assert raised.value.__cause__ is not None
    assert redis.get("n") == "1"


def test_our_error_keeps_the_cause_and_not_its_text() -> None:
    with pytest.raises(DependencyUnavailable) as raised, redis_errors():
        raise ResponseError("WRONGPASS for hunter2")
    assert isinstance(raised.value.__cause__, ResponseError)
    assert "hunter2" not in raised.value.detail


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), redis_errors():
        raise KeyError("a")
