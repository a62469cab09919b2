"""One part that is away, or has wrong settings, takes nothing else down with it."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

pytestmark = [pytest.mark.compose, pytest.mark.timeout(300)]
BEHIND = ("captcha-service", "sms-service", "sms-worker", "user-service", "news-service", "redis")
# One operation of each service behind the gateway, and a page.
OPERATIONS = (
    ("POST", "/api/v1/captchas"),
    ("POST", "/api/v1/sms-codes"),
    ("POST", "/api/v1/sessions"),
    ("GET", "/api/v1/categories"),
    ("GET", "/"),
)


@pytest.fixture
def compose(stack: Any) -> Iterator[Callable[..., str]]:
    """Run `docker compose`; the stack is whole again afterwards."""
    yield stack.compose
    stack.make_whole()


def wait_until(is_true: Callable[[], bool], *, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.2)


def status_of(url: str, path: str, method: str = "GET", **options: Any) -> int:
    try:
        return requests.request(method, url + path, timeout=20, **options).status_code
    except requests.RequestException:
        return 0


def test_the_gateway_starts_alone_and_says_503(stack: Any, compose: Callable[..., str]) -> None:
    compose("stop", "--timeout", "10", "gateway", *BEHIND)
    compose("up", "--detach", "--no-deps", "gateway")
    wait_until(lambda: status_of(stack.url, "/healthz") == 200)
    answers = [requests.request(method, stack.url + path, json={}, timeout=20) for method, path in OPERATIONS]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(503, "service_unavailable")] * 5


def test_wrong_settings_of_one_service_end_once_and_leave_the_others(stack: Any, compose: Callable[..., str]) -> None:
    stack.compose("up", "--detach", "--scale", "sms-worker=2", variables={"SMS_ROUTES": "nobody"}, check=False)
    states = {
        each["Service"]: each for each in map(json.loads, compose("ps", "--all", "--format", "json").splitlines())
    }
    assert (states["sms-topology"]["State"], states["sms-topology"]["ExitCode"]) == ("exited", 3)
    # Made, but not started; nothing turns.
    assert [states[name]["State"] for name in ("sms-service", "sms-worker")] == ["created"] * 2
    assert compose("logs", "--no-log-prefix", "sms-topology").count("Settings are missing or wrong:") == 1
    wait_until(lambda: status_of(stack.url, "/api/v1/categories") == 200)
    wait_until(lambda: status_of(stack.url, "/api/v1/captchas", "POST", json={}) == 201)
    fields = {"mobile": "13800138000", "purpose": "register", "captcha_id": "a", "captcha_text": "b"}
    assert status_of(stack.url, "/api/v1/sms-codes", "POST", json=fields) == 503


def test_without_a_worker_a_request_for_a_code_is_refused_and_its_captcha_kept(
    stack: Any, solved_captcha: Callable[[], dict[str, str]], mobile: str
) -> None:
    fields = {"mobile": mobile, "purpose": "register", **solved_captcha()}
    stack.compose("stop", "--timeout", "10", "sms-worker")
    answer = requests.post(f"{stack.url}/api/v1/sms-codes", json=fields, timeout=20)
    stack.compose("start", "sms-worker")
    assert (answer.status_code, answer.json()["code"]) == (503, "sms_unavailable")
    assert answer.headers["Retry-After"] == "10"
    wait_until(lambda: status_of(stack.url, "/api/v1/sms-codes", "POST", json=fields) == 202)
    assert len(stack.wait_for_texts(mobile, 1)) == 1


def test_a_restart_of_redis_fails_no_read(
    stack: Any, compose: Callable[..., str], register: Callable[[], Any], app: Callable[..., Any]
) -> None:
    account = register()
    begun = started_at(compose)
    compose("stop", "--timeout", "10", "redis")
    reads = [status_of(stack.url, path) for path in ("/", "/api/v1/categories") * 15]
    own = app("GET", "/api/v1/users/me", token=account.access_token).status_code
    write = app("POST", "/api/v1/captchas", json={})
    compose("start", "redis")
    reads += [status_of(stack.url, path) for path in ("/", "/api/v1/categories") * 20]
    assert (set(reads), own) == ({200}, 200)
    assert (write.status_code, write.json()["code"]) == (503, "service_unavailable")
    # They connect anew, nobody starts them again.
    wait_until(lambda: status_of(stack.url, "/api/v1/captchas", "POST", json={}) == 201)
    wait_until(lambda: status_of(stack.url, "/readyz") == 200)
    assert started_at(compose) == begun


def test_logins_without_mariadb_cost_no_attempt(
    stack: Any, compose: Callable[..., str], register: Callable[[], Any]
) -> None:
    account = register()
    fields = {"mobile": account.mobile, "password": account.password}
    compose("stop", "--timeout", "10", "mariadb")
    assert [status_of(stack.url, "/api/v1/sessions", "POST", json=fields) for _ in range(3)] == [503] * 3
    compose("start", "mariadb")
    answers: list[int] = []
    wait_until(
        lambda: answers.append(status_of(stack.url, "/api/v1/sessions", "POST", json=fields)) or answers[-1] != 503
    )
    assert answers[-1] == 201, "a captcha or a wait is asked for"


def started_at(compose: Callable[..., str]) -> dict[str, str]:
    """When each container of ours was started."""
    running = map(json.loads, compose("ps", "--format", "json").splitlines())
    ids = {each["Service"]: each["ID"] for each in running if each["Service"] not in ("redis", "rabbitmq", "mariadb")}
    inspect = ["docker", "inspect", "--format", "{{.State.StartedAt}}"]
    return {
        name: subprocess.run([*inspect, container], check=True, capture_output=True, text=True).stdout
        for name, container in ids.items()
    }
