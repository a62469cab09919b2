"""Several workers share the queue: each code is texted exactly once, also when one of them dies."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

Get = Callable[..., Any]
CODES = 50
# A dead worker's jobs come back after SMS_RECLAIM_AFTER_SECONDS on a stream, and at once on RabbitMQ.
ALL_TEXTED_SECONDS = 40


@pytest.fixture
def requests_for_codes(solved_captcha: Get, new_mobile: Get) -> list[dict[str, str]]:
    """Requests for codes, each to a mobile of its own, ready to be sent at once."""
    return [{"mobile": new_mobile(), "purpose": "register", **solved_captcha()} for _ in range(CODES)]


def count_texts(stack: Any, mobiles: list[str]) -> dict[str, int]:
    """Count the texts of each mobile."""
    texted = Counter(message["mobile"] for message in stack.inbox())
    return {mobile: texted[f"+86{mobile}"] for mobile in mobiles}


def wait_until_all_are_texted(stack: Any, mobiles: list[str]) -> None:
    end = time.monotonic() + ALL_TEXTED_SECONDS
    while missing := [mobile for mobile, count in count_texts(stack, mobiles).items() if not count]:
        assert time.monotonic() < end, f"{len(missing)} of {len(mobiles)} codes were not texted"
        time.sleep(0.5)


def wait_until_no_more_come(stack: Any, mobiles: list[str]) -> list[str]:
    """Return the mobiles without a text, once there was no new text for two seconds."""
    left, found = [], [mobile for mobile, count in count_texts(stack, mobiles).items() if not count]
    while left != found:
        time.sleep(2)
        left, found = found, [mobile for mobile, count in count_texts(stack, mobiles).items() if not count]
    return found


def test_two_workers_text_each_code_once(
    stack: Any, app: Get, requests_for_codes: list[dict[str, str]], extra_worker: Any
) -> None:
    mobiles = [request["mobile"] for request in requests_for_codes]
    for request in requests_for_codes:
        assert app("POST", "/api/v1/sms-codes", json=request).status_code == 202
    wait_until_all_are_texted(stack, mobiles)
    time.sleep(1)  # A second text would come about now.
    assert count_texts(stack, mobiles) == dict.fromkeys(mobiles, 1)


def test_a_killed_workers_jobs_are_sent_by_the_other(
    stack: Any, app: Get, requests_for_codes: list[dict[str, str]], extra_worker: Any
) -> None:
    mobiles = [request["mobile"] for request in requests_for_codes]
    extra_worker.pause()  # What it is given now it holds, and does not send.
    for request in requests_for_codes:
        assert app("POST", "/api/v1/sms-codes", json=request).status_code == 202
    held = wait_until_no_more_come(stack, mobiles)
    extra_worker.kill()
    assert held, "the paused worker was given no job, so its death proves nothing"
    wait_until_all_are_texted(stack, mobiles)
    time.sleep(1)
    assert count_texts(stack, mobiles) == dict.fromkeys(mobiles, 1)
