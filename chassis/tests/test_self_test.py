"""T44: what is not safe does not start."""

import secrets

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings
from redis import Redis

from chassis.self_test import check_start, is_weak, refuse_to_start, unsafe_surroundings, weak_secrets
from chassis.settings import Key, settings_config


@pytest.mark.parametrize(
    "secret",
    [
        "short",
        "x" * 64,
        "abc" * 16,
        "0123456789abcdef" * 2,
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ",
        "changeme-changeme-please-1q2w3e4r5t6z",
        "MySecret" + "f8a0b1c9d7e6f5a4b3c2d1e0f9",
        "a key of the tests, never used elsewhere",
        "a refresh token key of the tests only",
        "Password-1-of-the-production-machine",
        "1111111111111111222222222222222233333",
    ],
)
def test_T44_obvious_secrets_are_known(secret: str) -> None:
    assert is_weak(secret)


@pytest.mark.parametrize("draw", [secrets.token_urlsafe, secrets.token_hex])
def test_T44_drawn_secrets_are_good(draw: object) -> None:
    assert callable(draw)
    assert not any(is_weak(draw(32)) for _ in range(500))


def test_T44_equal_secrets_are_named_without_their_value() -> None:
    one, other = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    assert weak_secrets({"A": one, "B": other}) == []
    assert weak_secrets({"A": one, "B": other, "C": one}) == ["A and C must differ"]
    assert weak_secrets({"A": "x" * 32}) == ["A is a known or obvious key; take 32 random bytes"]


def test_T44_a_redis_that_evicts_is_named(redis: Redis, redis_url: str) -> None:
    assert unsafe_surroundings(redis_url) == []
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert "allkeys-lru" in unsafe_surroundings(redis_url)[0]
    finally:
        redis.config_set("maxmemory-policy", "noeviction")


def test_T44_a_redis_that_tells_nothing_is_only_warned_about(redis: Redis, redis_url: str) -> None:
    redis.execute_command("ACL", "SETUSER", "guest", "on", ">pw", "~*", "+@all", "-config")
    try:
        assert unsafe_surroundings(redis_url.replace("unix://", "unix://guest:pw@")) == []
    finally:
        redis.execute_command("ACL", "DELUSER", "guest")


def test_T44_a_redis_that_is_away_is_waited_for() -> None:
    assert unsafe_surroundings("unix:///nowhere/redis.sock") == []


def test_T44_debug_mode_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert "FLASK_DEBUG" in unsafe_surroundings("unix:///nowhere/redis.sock")[0]


def test_T44_all_problems_stand_in_one_message_and_gunicorn_gives_up(capsys: pytest.CaptureFixture[str]) -> None:
    refuse_to_start([])
    with pytest.raises(SystemExit) as stopped:
        refuse_to_start(["one thing", "another"])
    assert stopped.value.code == 3
    assert capsys.readouterr().err == "Not started, because this is not safe:\n  one thing\n  another\n"


class Settings(BaseSettings):
    model_config = settings_config("SHOP_")
    internal_token_key: Key
    code_key: Key
    vendor_key: SecretStr = SecretStr("chosen by somebody else")


def test_T44_every_key_of_the_settings_is_looked_at(redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    good, weak = SecretStr(secrets.token_urlsafe(32)), SecretStr("changeme" * 4)
    check_start(Settings(internal_token_key=good, code_key=SecretStr(secrets.token_urlsafe(32))), redis_url=redis_url)
    for first, second, message in ((good, weak, "SHOP_CODE_KEY is a known"), (good, good, "and SHOP_CODE_KEY must")):
        with pytest.raises(SystemExit):
            check_start(Settings(internal_token_key=first, code_key=second), redis_url=redis_url)
        assert message in capsys.readouterr().err
