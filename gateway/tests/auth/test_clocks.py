"""The difference between the clocks of the gateway and of user-service."""

import pytest
from structlog.testing import capture_logs

from gateway.auth.clocks import UserServiceClock

TOLD, MOMENT = "Fri, 27 Nov 2026 12:00:00 GMT", 1_795_780_800.0


@pytest.mark.parametrize(
    ("own_time", "ahead_seconds", "effect"),
    [
        (MOMENT, 0, ""),
        (MOMENT - 59, 59, ""),
        (MOMENT - 61, 61, "fresh tokens are refused"),
        (MOMENT + 61, -61, "tokens expire too early"),
    ],
)
def test_clocks_that_are_more_than_a_minute_apart_are_named(own_time: float, ahead_seconds: int, effect: str) -> None:
    clock = UserServiceClock(clock=lambda: own_time)
    with capture_logs() as logs:
        clock.note_date(TOLD)
    assert (clock.ahead_seconds, clock.is_apart) == (ahead_seconds, bool(effect))
    named = f"The clock of user-service is {ahead_seconds:+d} s ahead: {effect}."
    assert clock.remarks() == ({"clocks": named} if effect else {})
    events = [(entry["event"], entry["ahead_seconds"]) for entry in logs]
    assert events == ([("clocks_differ", ahead_seconds)] if effect else [])


@pytest.mark.parametrize("date", [None, "", "yesterday", "Fri, 99 Nov 2026 12:00:00 GMT"])
def test_an_unreadable_date_says_nothing(date: str | None) -> None:
    clock = UserServiceClock(clock=lambda: MOMENT - 100)
    clock.note_date(TOLD)
    clock.note_date(date)
    assert clock.ahead_seconds == 100
