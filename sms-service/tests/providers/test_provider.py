"""Tables of codes: what wins, and what a vendor that says anything cannot do to metrics and logs."""

import pytest
from prometheus_client import REGISTRY

from sms_service.providers.provider import ErrorCodeTable, Outcome, ProviderAnswer, for_logs

TABLE_NAME = "a vendor of the tests"
TABLE = ErrorCodeTable(
    TABLE_NAME,
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
        ("okay", ProviderAnswer(Outcome.REFUSED_UNLISTED, "okay")),
        ("OK", ProviderAnswer(Outcome.UNCERTAIN, "OK")),
        ("", ProviderAnswer(Outcome.UNCERTAIN, "unknown")),
    ],
)
def test_whole_codes_win_over_beginnings_and_long_ones_over_short_ones(code: str, answer: ProviderAnswer) -> None:
    assert TABLE.classify(code) == answer


def test_whatever_a_vendor_says_the_codes_are_bounded_and_the_unknown_ones_counted() -> None:
    def count() -> float:
        name, labels = "sms_provider_unknown_codes_total", {"provider": TABLE_NAME}
        return REGISTRY.get_sample_value(name, labels) or 0

    before = count()
    table = ErrorCodeTable(TABLE_NAME, {}, {Outcome.REFUSED_CONFIG: ["bad."]})
    answers = [table.classify(f"{start}{number}") for number in range(100) for start in ("bad.", "new", "\n")]
    assert {answer.code for answer in answers} == {"bad.*", "unknown", *(f"new{number}" for number in range(20))}
    assert count() - before == 200


@pytest.mark.parametrize(
    ("code", "given", "outcome"),
    [
        ("E7", {}, Outcome.REFUSED_UNLISTED),
        ("E7", {"http_status": 404}, Outcome.REFUSED_UNLISTED),
        ("E7", {"http_status": 401}, Outcome.REFUSED_CONFIG),
        ("E7", {"http_status": 402}, Outcome.REFUSED_CONFIG),
        ("E7", {"http_status": 403}, Outcome.REFUSED_CONFIG),
        ("E1", {"http_status": 403}, Outcome.REFUSED_LIMIT),
        ("E7", {"is_error": False}, Outcome.UNCERTAIN),
        ("7", {"http_status": 403}, Outcome.UNCERTAIN),
    ],
)
def test_an_unlisted_code_is_a_plain_no_if_it_looks_like_the_vendors(code: str, given, outcome: Outcome) -> None:
    table = ErrorCodeTable(TABLE_NAME, {Outcome.REFUSED_LIMIT: ["E1"]}, form="E[0-9]")
    assert table.classify(code, **given).outcome is outcome


@pytest.mark.parametrize("word", ["isv.NEW_CODE", "Throttling.Api:1", "160099"])
def test_what_can_be_a_code_may_be_logged(word: str) -> None:
    assert for_logs(word) == word


@pytest.mark.parametrize("word", ["", "张三", "138 0013 8000", "a\nb", "x" * 65, "<b>"])
def test_what_cannot_be_a_code_is_not_logged(word: str) -> None:
    assert for_logs(word) == "garbled"


def test_a_code_cannot_stand_in_two_classes() -> None:
    with pytest.raises(ValueError, match="two classes"):
        ErrorCodeTable("x", {Outcome.ACCEPTED: ["1"], Outcome.UNCERTAIN: ["1"]})
