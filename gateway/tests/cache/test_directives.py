"""Cache directives as services and clients write them, well and badly."""

import pytest

from gateway.cache.directives import MOST_SECONDS, read_cache_control, read_date, read_targeted, seconds_of


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("public, max-age=30", {"public": None, "max-age": "30"}),
        ("PUBLIC ,\tMax-Age=30", {"public": None, "max-age": "30"}),
        ('max-age="30"', {"max-age": "30"}),
        ("max-age=30, max-age=5", {"max-age": "30"}),
        (",, ,max-age=5,,", {"max-age": "5"}),
        ('private="set-cookie, no-store", max-age=5', {"private": "set-cookie, no-store", "max-age": "5"}),
        ('ext="max-age=9, \\"no-store", max-age=5', {"ext": 'max-age=9, \\"no-store', "max-age": "5"}),
        ('"no-store, max-age=9", max-age=5', {"max-age": "5"}),
        ("no-cache=", {"no-cache": None}),
        ("", {}),
    ],
)
def test_directives_are_read(line: str, found: dict[str, str | None]) -> None:
    assert read_cache_control([line]) == found


@pytest.mark.parametrize(
    "line", ["no-store;x", ";no-store", "=no-store", 'a="b, no-store', 'a="b", no-store"', "@no-store"]
)
def test_what_forbids_counts_though_something_odd_stands_beside_it(line: str) -> None:
    assert "no-store" in read_cache_control([line])


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("max-age=0", 0),
        ("max-age=007", 7),
        ("max-age=-1", 0),
        ("max-age=+5", 0),
        ("max-age=1.5", 0),
        ("max-age=abc", 0),
        ("max-age", 0),
        ("max-age=", 0),
        ("max-age = 5", 0),
        ("max-age=5 6", 0),
        ("max-age=\uff15", 0),
        ("max-age=2147483649", MOST_SECONDS),
        ("max-age=" + "9" * 5000, MOST_SECONDS),
        ("public", None),
    ],
)
def test_seconds_that_are_not_readable_are_none_at_all(line: str, seconds: int | None) -> None:
    assert seconds_of(read_cache_control([line]), "max-age") == seconds


def test_equal_lines_are_one_list() -> None:
    assert read_cache_control(["max-age=5", "no-store"]) == {"max-age": "5", "no-store": None}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("max-age=60", {"max-age": "60"}),
        ("max-age=60, stale-while-revalidate=5", {"max-age": "60", "stale-while-revalidate": "5"}),
        ("no-store", {"no-store": None}),
        ("no-store=?1;a=1;b", {"no-store": None}),
        ("no-store=?0, max-age=1", {"max-age": "1"}),
        ("max-age=1, max-age=2", {"max-age": "2"}),
        ('a="b, no-store", max-age=1', {"a": '"b, no-store"', "max-age": "1"}),
        ("a=(1 2;x), max-age=1", {"a": "(1 2;x)", "max-age": "1"}),
        ("", None),
        ("max-age=60,", None),
        ("Max-Age=60", None),
        ("max-age=60 no-store", None),
        ("max-age=", None),
        ('max-age="6', None),
    ],
)
def test_a_targeted_field_is_a_dictionary_or_counts_as_absent(line: str, found: dict[str, str | None] | None) -> None:
    assert read_targeted([line]) == found


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        ("Sun Nov  6 08:49:37 1994", 784111777),
        ("Sun, 06 Nov 1994 08:49:37 +0100", None),
        ("Sun, 06 Nov 1994 08:49:37", None),
        ("Sun, 36 Nov 1994 08:49:37 GMT", None),
        ("0", None),
        ("", None),
    ],
)
def test_dates_have_the_three_forms_of_http(text: str, seconds: float | None) -> None:
    assert read_date(text) == seconds
