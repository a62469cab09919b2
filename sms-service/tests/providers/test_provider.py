"""Tables of codes: what wins, and what a vendor that says anything cannot do to metrics and logs."""

import pytest
from prometheus_client import REGISTRY

from sms_service.providers.provider import ErrorCodeTable, Outcome, ProviderAnswer, for_logs

TABLE = ErrorCodeTable(
    "a vendor of the tests",
    {Outcome.ACCEPTED: ["ok"], Outcome.REFUSED_LIMIT: ["bad.limit"]},
    {Outcome.REFUSED_CONFIG: ["bad."], Outcome.REFUSED_BUSY: ["bad.busy"]},
)


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("ok", ProviderAnswer(Outcome.ACCEPTED, "ok")),
        ("bad.limit", ProviderAnswer(Outcome.REFUSED_LIMIT, "bad.limit")),
        ("bad.limits", ProviderAnswer(Outcome.REFUSED_CONFIG, "bad.*")),
        ("bad.busy.1", ProviderAnswer(Outcome.REFUSED_BUSY, "bad.busy*")),
        ("okay", ProviderAnswer(Outcome.UNCERTAIN, "unknown")),
        ("", ProviderAnswer(Outcome.UNCERTAIN, "unknown")),
    ],
)
def test_whole_codes_win_over_beginnings_and_long_ones_over_short_ones(code: str, answer: ProviderAnswer) -> None:
    assert TABLE.classify(code) == answer


def test_whatever_a_vendor_says_the_codes_are_bounded_and_the_unknown_ones_counted() -> None:
    def count() -> float:
        name, labels = "sms_provider_unknown_codes_total", {"provider": "a vendor of the tests"}
        return REGISTRY.get_sample_value(name, labels) or 0

    before = count()
    answers = [TABLE.classify(f"{start}{number}") for number in range(100) for start in ("bad.", "new", "\n")]
    assert {answer.code for answer in answers} == {"bad.*", "unknown"}
    assert count() - before == 200


@pytest.mark.parametrize("word", ["isv.NEW_CODE", "Throttling.Api:1", "160099"])
def test_what_can_be_a_code_may_be_logged(word: str) -> None:
    assert for_logs(word) == word


@pytest.mark.parametrize("word", ["", "张三", "138 0013 8000", "a\nb", "x" * 65, "<b>"])
def test_what_cannot_be_a_code_is_not_logged(word: str) -> None:
    assert for_logs(word) == "garbled"


def test_a_code_cannot_stand_in_two_classes() -> None:
    with pytest.raises(ValueError, match="two classes"):
        ErrorCodeTable("x", {Outcome.ACCEPTED: ["1"], Outcome.UNCERTAIN: ["1"]})
