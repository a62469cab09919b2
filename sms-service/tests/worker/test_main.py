"""The worker as a process of its own: it starts from variables, says how it is, sends, and ends when told to."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import requests
from redis import Redis

from chassis.mobiles import Mobile
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.purposes import Purpose
from sms_service.codes.sms_codes import SmsCodes
from sms_service.providers.inbox import Inbox
from sms_service.queue.job import SendJob
from sms_service.queue.workers import load_workers
from sms_service.settings import Settings
from sms_service.worker.health_server import create_health_app, serve_health
from sms_service.worker.heartbeat import Heartbeat

CODE_KEY = secrets.token_urlsafe(32)
COMMAND = [sys.executable, "-m", "sms_service.worker"]


@pytest.fixture
def health_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def keys() -> CodeKeys:
    """The keys of a worker that reads its own settings, which refuses the known keys of the other tests."""
    return CodeKeys(CODE_KEY)


@pytest.fixture
def environment(make_settings: Callable[..., Settings], health_port: int) -> dict[str, str]:
    settings = make_settings()
    return {
        **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        "SMS_REDIS_URL": settings.redis_url,
        "SMS_INTERNAL_TOKEN_KEY": secrets.token_urlsafe(32),
        "SMS_CODE_KEY": CODE_KEY,
        "SMS_CAPTCHA_SERVICE_URL": settings.captcha_service_url,
        "METRICS_PORT": str(health_port),
    }


@pytest.fixture
def worker(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(COMMAND, env=environment, stderr=subprocess.PIPE) as process:
        yield process
        process.kill()


def eventually(is_so: Callable[[], object]) -> bool:
    end = time.monotonic() + 20
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_a_worker_sends_is_healthy_and_ends_in_order(
    worker, health_port: int, make_codes: Callable[..., SmsCodes], stream_publisher, inbox: Inbox, redis: Redis
) -> None:
    codes = make_codes()
    reservation = codes.reserve(Mobile("+8613800138000"), Purpose.LOGIN, subject="", ip="192.0.2.1")
    job = SendJob(reservation.job_id, reservation.mobile_hash, 0, reservation.expires_at, "request-of-the-test")
    stream_publisher.publish(job)
    codes.commit(reservation)
    assert eventually(inbox.messages)
    assert eventually(lambda: requests.get(f"http://127.0.0.1:{health_port}/readyz", timeout=5).status_code == 200)
    metrics = requests.get(f"http://127.0.0.1:{health_port}/metrics", timeout=5).text
    assert 'sms_claim_total{reason="won"} 1.0' in metrics
    assert 'sms_queue_ready{queue="sms:queue:dead"} 0.0' in metrics
    assert 'sms_breaker_state{provider="inbox"} 0.0' in metrics
    assert load_workers(redis).alive == 1
    worker.send_signal(signal.SIGTERM)
    _, logs = worker.communicate(timeout=10)
    assert worker.returncode == 0
    assert load_workers(redis).alive == 0
    assert b"request-of-the-test" in logs
    assert b"worker_stopped" in logs
    assert b"042619" not in logs
    assert b"13800138000" not in logs


def test_an_option_that_does_not_exist_starts_no_worker(environment: dict[str, str]) -> None:
    """The health check of an older compose file would."""
    ended = subprocess.run([*COMMAND, "--check"], env=environment, check=False, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (1, b"Unknown options: --check\n")


def test_the_check_of_the_settings_ends_before_the_first_job(environment: dict[str, str]) -> None:
    assert subprocess.run([*COMMAND, "--check-settings"], env=environment, check=False, timeout=60).returncode == 0


def test_a_worker_without_the_templates_of_its_provider_says_so(environment: dict[str, str]) -> None:
    needed = {"ROUTES": "aliyun", "ALIYUN_ACCESS_KEY_ID": "i", "ALIYUN_ACCESS_KEY_SECRET": "s"}
    needed |= {"ALIYUN_SIGN_NAME": "n"}
    environment |= {f"SMS_{name}": value for name, value in needed.items()}
    command = [*COMMAND, "--check-settings"]
    ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 3
    assert ended.stderr == (
        "Settings are missing or wrong:\n"
        "  aliyun has no template id for change_mobile, login, reauthenticate, register, "
        "reset_password (SMS_TEMPLATES_FILE)\n"
    )


@dataclass(frozen=True)
class Loop:
    alive: bool

    def is_alive(self) -> bool:
        return self.alive


@dataclass(frozen=True)
class Consumer:
    """A consumer whose broker is there, or away."""

    up: bool

    def is_up(self) -> bool:
        return self.up


@pytest.mark.parametrize(("is_alive", "is_up"), [(True, False), (False, True)])
def test_a_part_that_is_down_is_told(is_alive: bool, is_up: bool, redis: Redis, living_worker: Heartbeat) -> None:
    app = create_health_app(Loop(is_alive), Consumer(is_up), redis, living_worker)
    with serve_health(app, host="127.0.0.1", port=0) as port:
        address = f"http://127.0.0.1:{port}"
        assert requests.get(f"{address}/healthz", timeout=5).status_code == (200 if is_alive else 503)
        ready = requests.get(f"{address}/readyz", timeout=5)
        checks = {
            "redis.client.Redis": "up",
            "sms_service.queue.interface.JobConsumer": "up" if is_up else "down",
            "sms_service.worker.heartbeat.Heartbeat": "up",
        }
        assert ready.json() == {"status": "ready" if is_up else "not ready", "checks": checks}
        assert ready.status_code == (200 if is_up else 503)
        assert "Server" not in ready.headers
        assert requests.get(f"{address}/other", timeout=5).status_code == 404
        assert "python_info" in requests.get(f"{address}/metrics", timeout=5).text
