from typing import Any

from gateway.upstreams.retries import RetryBudget


def retries(budget: RetryBudget) -> int:
    """Take all that there are, and count them."""
    count = 0
    while budget.take_retry():
        count += 1
    return count


def test_a_quiet_service_has_three_retries_a_second(clock: Any) -> None:
    assert retries(RetryBudget(clock)) == 30


def test_a_busy_service_has_a_tenth_of_its_requests_more(clock: Any) -> None:
    budget = RetryBudget(clock)
    for _ in range(5):
        for _ in range(200):
            budget.count_request()
        clock.now += 1
    assert retries(budget) == 130


def test_ten_seconds_later_there_are_new_ones(clock: Any) -> None:
    budget = RetryBudget(clock)
    budget.count_request()
    assert retries(budget) == 30
    clock.now += 9
    assert retries(budget) == 0
    clock.now += 1
    assert retries(budget) == 30
