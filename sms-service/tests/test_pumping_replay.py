"""The replay of SMS pumping: the goals hold on the real scripts, and the README's table has the replay's scenarios."""

from pathlib import Path

import pytest

from pumping_replay import SCENARIOS, Scenario, main, replay
from sms_service.codes.limit_settings import LimitSettings

MOST_TEXTS, LEAST_SHARE = 100, 0.95
GOALS = SCENARIOS[:5]  # The four attacks, the carrier's address alone, and people alone.


@pytest.mark.parametrize("scenario", GOALS, ids=lambda scenario: scenario.name)
def test_pumping_gets_few_texts_and_people_sign_up(redis_url: str, scenario: Scenario) -> None:
    result = replay(redis_url, LimitSettings(), scenario, seed=1)
    assert result.texts <= MOST_TEXTS
    assert result.share >= LEAST_SHARE
    assert result.people > 200
    assert (result.attacks > 1000) is (scenario.attacks_per_second > 0)


def test_a_carriers_address_with_earned_trust_feels_no_attack(redis_url: str) -> None:
    [scenario] = [each for each in SCENARIOS if each.people_behind_one_address and each.quiet_seconds]
    result = replay(redis_url, LimitSettings(), scenario, seed=1)
    assert (result.texts <= MOST_TEXTS, result.share >= 0.99) == (True, True)


def test_the_replay_prints_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--only", "people alone"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.count("|") for line in lines] == [8, 8, 8]


def test_the_readme_has_a_row_for_every_scenario() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert [scenario.name for scenario in SCENARIOS if f"| {scenario.name} |" not in readme] == []
