"""Every service counts on the configuration of gunicorn that is shipped, and the documents name metrics that exist."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

WAIT_SECONDS = 60


def test_one_request_is_counted_once(service: str, start_service: Callable[..., Any]) -> None:
    running = start_service(service)
    count = f'http_requests_total{{method="GET",route="/healthz",service="{service}",status="200"}}'
    seconds = f'http_request_seconds_count{{route="/healthz",service="{service}"}}'
    before = running.counts()
    requests.get(f"{running.url}/healthz", timeout=WAIT_SECONDS)
    after = running.counts()
    assert [after[name] - before[name] for name in (count, seconds)] == [1, 1]


def test_the_gateways_own_metrics_move(start_service: Callable[..., Any]) -> None:
    gateway = start_service("gateway", GATEWAY_CAPTCHAS_PER_IP_PER_MINUTE="1")
    before = gateway.counts()
    for _ in range(2):
        requests.post(f"{gateway.url}/api/v1/captchas", json={}, timeout=WAIT_SECONDS)
    requests.get(f"{gateway.url}/api/v1/users/me", headers={"Authorization": "Bearer nothing"}, timeout=WAIT_SECONDS)
    requests.get(f"{gateway.url}/api/v1/categories", timeout=WAIT_SECONDS)
    after = gateway.counts()
    refused = 'gateway_upstream_errors_total{kind="away",upstream="captcha-service"}'
    changes = {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}
    assert changes['gateway_limited_total{limit="captchas"}'] == 1
    assert changes[refused] == 1
    assert changes['gateway_cache_requests_total{result="miss"}'] == 1
    assert 0 <= after["gateway_revocations_age_seconds"] < 5


def test_the_gateway_counts_what_it_lets_through_without_redis(start_service: Callable[..., Any]) -> None:
    gateway = start_service("gateway", GATEWAY_REDIS_URL="redis://127.0.0.1:1")
    before = gateway.counts()["gateway_limits_unreachable_total"]
    requests.post(f"{gateway.url}/api/v1/captchas", json={}, timeout=WAIT_SECONDS)
    assert gateway.counts()["gateway_limits_unreachable_total"] == before + 1


def test_the_gateway_shows_the_age_of_revocations_without_a_readiness_check(start_service: Callable[..., Any]) -> None:
    gateway = start_service("gateway", GATEWAY_REDIS_URL="redis://127.0.0.1:1")
    end = time.monotonic() + WAIT_SECONDS
    while gateway.counts()["gateway_revocations_age_seconds"] < 30:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_the_documents_name_metrics_that_exist(root: Path) -> None:
    sources = [path.read_text() for path in root.glob("*/*/**/*.py") if path.parts[-2] != "tests"]
    exist = {name for text in sources for name in re.findall(r'(?:Counter|Gauge|Histogram|Family)\(\s*"(\w+)"', text)}
    named = {
        name
        for path in [*root.glob("*.md"), *root.glob("*/README.md"), *root.glob("docs/*.md")]
        for name in re.findall(r"`((?:http|gateway|captcha|sms|user|news)_\w+)`", path.read_text())
        if name.endswith(("_total", "_seconds", "_ratio", "_threads", "_ready", "_health", "_draining"))
    }
    assert len(named) > 9
    assert named - exist == set()
