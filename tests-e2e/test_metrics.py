"""What the README tells operators to look at is counted on the running stack, in the process that it belongs to."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

Read = Callable[[str], dict[str, float]]
# What a journey moves, by the process that counts it.
MOVED = {
    "gateway": ("http_requests_total", "http_request_seconds_count", "gateway_tokens_verified_total"),
    "captcha-service": ("http_requests_total", "http_request_seconds_count"),
    "sms-service": (
        "http_requests_total",
        "http_request_seconds_count",
        "sms_requests_total",
        "sms_publish_seconds_count",
    ),
    "sms-worker": ("sms_provider_total", "sms_finish_total", "sms_texted_total", "sms_claim_total"),
    "user-service": ("http_requests_total", "http_request_seconds_count"),
    "news-service": ("http_requests_total", "http_request_seconds_count"),
}
STATES = {
    "gateway": ("gateway_revocations_age_seconds", "gateway_keys_age_seconds"),
    "sms-service": ("sms_workers_alive",),
    "sms-worker": ("sms_worker_busy_threads", "sms_oldest_pending_seconds", "sms_queue_ready", "sms_breaker_state"),
}


@pytest.fixture
def read(stack: Any) -> Read:
    """Read the sums of all samples of one process, by metric, over its replicas and labels."""

    def read(process: str) -> dict[str, float]:
        sums: dict[str, float] = defaultdict(float)
        for line in stack.metrics(process).splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                sums[name.partition("{")[0]] += float(value)
        return sums

    return read


def test_a_journey_moves_the_metrics_of_every_process(
    read: Read, app: Callable[..., Any], register: Callable[[], Any]
) -> None:
    before = {process: read(process) for process in MOVED}
    account = register()
    assert app("GET", "/api/v1/users/me", token=account.access_token).status_code == 200
    asking = {"Cache-Control": "no-store"}  # The gateway alone could answer it.
    assert app("GET", "/api/v1/categories", headers=asking).status_code == 200
    still = unmoved(read, before)
    end = time.monotonic() + 20  # The worker counts after the text has arrived.
    while still and time.monotonic() < end:
        time.sleep(0.2)
        still = unmoved(read, before)
    assert still == []


def unmoved(read: Read, before: dict[str, dict[str, float]]) -> list[str]:
    after = {process: read(process) for process in MOVED}
    pairs = [(process, name) for process, names in MOVED.items() for name in names]
    return [f"{name} of {process}" for process, name in pairs if not after[process][name] > before[process][name]]


def test_a_refused_request_for_a_code_is_counted(read: Read, ask_code: Callable[..., Any], mobile: str) -> None:
    before = read("sms-service")["sms_requests_total"]
    assert ask_code(mobile, captcha_id="xj-nothing", captcha_text="AAAAAA").status_code == 400
    assert read("sms-service")["sms_requests_total"] > before


@pytest.mark.parametrize("process", STATES)
def test_states_are_shown_before_anything_happens(read: Read, process: str) -> None:
    shown = read(process)
    assert [name for name in STATES[process] if name not in shown] == []
