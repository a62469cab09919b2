"""No process starts on wrong settings or in an unsafe environment, and gunicorn does not try again."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.settings import PREFIXES, LocalSettings, environment

Run = Callable[..., "subprocess.CompletedProcess[str]"]
WORKER = (sys.executable, "-m", "sms_service.worker")
PROCESSES = {"captcha_service": "CAPTCHA", "sms_service": "SMS", "user_service": "USER", "news_service": "NEWS"}
PROCESSES |= {"gateway": "GATEWAY"}


def api(package: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"from {package}.app import create_app; create_app()")


@pytest.fixture
def run(tmp_path: Path, redis_url: str) -> Run:
    """Run a command with the variables of the embedded run, changed as a test says."""

    def run(command: tuple[str, ...], **changed: str) -> "subprocess.CompletedProcess[str]":
        path = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        variables = environment(LocalSettings(data_dir=tmp_path), redis_url, path) | changed
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_every_service_is_listed() -> None:
    assert sorted(PROCESSES.values()) == sorted(PREFIXES)


each_process = pytest.mark.parametrize(
    ("command", "prefix"),
    [*((api(package), prefix) for package, prefix in PROCESSES.items()), (WORKER, "SMS")],
    ids=[*PROCESSES, "sms_worker"],
)


@each_process
def test_T44_a_weak_key_and_debug_mode_stop_the_start(run: Run, command: tuple[str, ...], prefix: str) -> None:
    done = run(command, **{f"{prefix}_INTERNAL_TOKEN_KEY": "k" * 40, "FLASK_DEBUG": "1"})
    assert done.returncode == 3
    assert f"{prefix}_INTERNAL_TOKEN_KEY is a known or obvious key" in done.stderr
    assert "FLASK_DEBUG" in done.stderr


@each_process
def test_a_mistyped_variable_stops_the_start_and_is_named(run: Run, command: tuple[str, ...], prefix: str) -> None:
    done = run(command, **{f"{prefix}_LOG_LEVLE": "INFO", f"XINJING_{prefix}_REDIS_URL": "redis://redis"})
    assert done.returncode == 3
    assert done.stderr.startswith("Settings are missing or wrong:\n")
    assert f"  {prefix}_LOG_LEVLE: is unknown, did you mean {prefix}_LOG_LEVEL?\n" in done.stderr
    assert f"  XINJING_{prefix}_REDIS_URL: is unknown, did you mean {prefix}_REDIS_URL?\n" in done.stderr


@pytest.mark.parametrize("command", [api("sms_service"), WORKER], ids=["api", "worker"])
def test_T44_the_key_of_the_codes_must_be_strong_and_its_own(run: Run, command: tuple[str, ...]) -> None:
    key = secrets.token_urlsafe(32)
    done = run(command, SMS_CODE_KEY=key, SMS_INTERNAL_TOKEN_KEY=key)
    assert (done.returncode, "SMS_INTERNAL_TOKEN_KEY and SMS_CODE_KEY must differ" in done.stderr) == (3, True)
    assert "SMS_CODE_KEY is a known or obvious key" in run(command, SMS_CODE_KEY="k" * 40).stderr


def test_gunicorn_gives_up_on_wrong_settings(run: Run) -> None:
    gunicorn = (sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0", "captcha_service.app:create_app()")
    done = run(gunicorn, CAPTCHA_WORK_BITS="many", CAPTCHA_INTERNAL_TOKEN_KEY="short")
    assert done.returncode == 3
    assert done.stderr.count("Settings are missing or wrong:\n") == 1
    assert "CAPTCHA_WORK_BITS: " in done.stderr
    assert "CAPTCHA_INTERNAL_TOKEN_KEY: Value error, needs at least 32 bytes\n" in done.stderr
