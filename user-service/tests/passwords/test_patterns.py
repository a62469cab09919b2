"""Dates, rows and repetitions: what is seen at a place of a text, and what is not."""

import pytest

from user_service.passwords.patterns import dates_at, repetitions_at, runs_at


def ends(found):
    return {each[0] for each in found}


@pytest.mark.parametrize(
    "date",
    [
        *(
            "19900101",
            "20240229",
            "900101",
            "01011990",
            "31121990",
            "12311990",
            "010190",
            "1990101",
            "199011",
            "199001",
        ),
        *("1990", "0101", "3112", "1990-01-01", "1990/1/1", "1990.1.31", "1-1-1990", "31.12.1990", "12 31 1990"),
        *("1990年1月1日", "1990年01月", "1990年", "1月1日", "12月31号"),
    ],
)
def test_dates_are_seen_in_every_order_and_form(date):
    assert 1 + len(date) in ends(dates_at(f"x{date}", 1))


@pytest.mark.parametrize(
    "no_date", ["19901301", "19900132", "20991231", "1990-13-01", "1990-01/01", "1332", "18990101"]
)
def test_what_no_calendar_has_is_no_date(no_date):
    assert len(no_date) not in ends(dates_at(no_date, 0))


def test_six_digits_of_a_longer_number_are_no_date():
    assert 7 in ends(dates_at("w900101x", 1))
    assert 7 not in ends(dates_at("5900101", 1)) | ends(dates_at("x9001015", 1))


@pytest.mark.parametrize(
    "run",
    [
        *("qwerty", "ytrewq", "asdf", "1qaz", "zaq1", "!@#$", "147", "963", "98741236", "159", "654", "abcdef", "zyx"),
        *("2468", "97531", "7890123", "aceg", "一二三四", "戊己庚", "1357913579"),
    ],
)
def test_rows_of_keys_and_counts_are_seen_in_both_directions(run):
    assert 1 + len(run) in ends(runs_at(f"x{run}", 1))


@pytest.mark.parametrize("no_run", ["qp", "12", "qet", "1593", "aaa", "qwet", "2469"])
def test_what_jumps_is_no_run(no_run):
    assert len(no_run) not in ends(runs_at(no_run, 0))


@pytest.mark.parametrize(
    ("text", "piece", "end"),
    [
        ("xabab", "ab", 5),
        ("xaaa", "a", 4),
        ("x我爱你我爱你y", "我爱你", 7),
        ("x112233", "123", 7),
        ("xaaabbb", "ab", 7),
    ],
)
def test_repetitions_are_seen_as_what_they_repeat(text, piece, end):
    assert (end, piece) in {found[:2] for found in repetitions_at(text, 1)}


def test_no_repetition_is_told_twice():
    assert [found[:2] for found in repetitions_at("aaaaaa", 0)] == [(6, "a")]
    assert list(repetitions_at("abcdefg", 0)) == []
