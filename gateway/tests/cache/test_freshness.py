"""RFC 9111 as tables: what may be stored, for how long, how old it is, and what a request asks for."""

import math

import pytest
from werkzeug.http import http_date

from gateway.cache.freshness import (
    Demands,
    Reuse,
    Verdict,
    initial_age,
    judge,
    may_answer_error,
    read_demands,
    reuse_of,
    vary_names,
)

NOW = 1_800_000_000.0
Headers = list[tuple[str, str]]


def date(seconds: float) -> str:
    return http_date(NOW + seconds)


def headers(text: str) -> Headers:
    """Lines as ``Name: value``, with a bar between; ``@-60`` is a date 60 seconds ago."""
    lines = [line.strip().partition(": ") for line in text.split("|") if line.strip()]
    return [(name, date(float(value[1:])) if value.startswith("@") else value) for name, _, value in lines]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (200, "Cache-Control: no-store"),
        (200, "Cache-Control: no-store, max-age=60"),
        (200, "Cache-Control: private, max-age=60"),
        (200, 'Cache-Control: private="x-a", max-age=60'),
        (200, "Cache-Control: max-age=60 | Set-Cookie: a=b"),
        (200, "Cache-Control: max-age=60 | Vary: *"),
        (200, "Cache-Control: max-age=60 | Vary: Accept, *"),
        (200, "Cache-Control: max-age=60 | Vary: X-Request-Id"),
        (206, "Cache-Control: max-age=60"),
        (304, "Cache-Control: max-age=60"),
        (299, "Cache-Control: max-age=60, must-understand"),
        (299, "Cache-Control: max-age=60, must-understand, no-store"),
        (200, "CDN-Cache-Control: no-store | Cache-Control: max-age=60"),
        (200, ""),
        (200, "Cache-Control: max-age=0"),
        (200, "Cache-Control: max-age=abc"),
        (200, "Cache-Control: no-cache, max-age=60"),
        (200, "Expires: 0"),
        (302, "Date: @0"),
    ],
)
def test_what_may_not_be_stored_or_is_of_no_use(status: int, text: str) -> None:
    assert reuse_of(status, headers(text), received_at=NOW) is None


@pytest.mark.parametrize(
    ("status", "text", "lifetime"),
    [
        (200, "Cache-Control: max-age=60", 60),
        (200, "Cache-Control: s-maxage=5, max-age=60", 5),
        (200, "Cache-Control: max-age=60, s-maxage=5", 5),
        (200, "CDN-Cache-Control: max-age=7 | Cache-Control: no-store | Expires: @900", 7),
        (200, "CDN-Cache-Control: max-age=7 x | Cache-Control: max-age=9", 9),
        (200, "Expires: @90 | Date: @-10", 100),
        (200, "Expires: @90", 90),
        (200, "Cache-Control: max-age=5 | Expires: @90", 5),
        (200, "Cache-Control: public | Expires: @90", 90),
        (200, "Last-Modified: @-1000 | Date: @0", 100),
        (200, "Last-Modified: @-90000000 | Date: @0", 86_400),
        (404, "Last-Modified: @-1000 | Date: @0", 100),
        (302, "Last-Modified: @-1000 | Date: @0 | Cache-Control: public", 100),
        (302, "Cache-Control: max-age=60", 60),
        (503, "Cache-Control: max-age=60", 60),
        (299, "Cache-Control: max-age=60", 60),
        (200, "Cache-Control: max-age=60, must-understand, no-store", 60),
        (200, "Cache-Control: max-age=99999999999", 2**31),
        # Stored for their validators, or for use beyond their lifetime.
        (200, 'ETag: "a"', 0),
        (200, 'ETag: "a" | Cache-Control: max-age=-5', 0),
        (200, 'ETag: "a" | Expires: 0', 0),
        (200, 'ETag: "a" | Expires: @90 | Expires: @90', 0),
        (200, 'ETag: "a" | Expires: @-90', 0),
        (302, "Last-Modified: @-1000 | Date: @0", 0),
        (200, "Cache-Control: max-age=0, stale-while-revalidate=9", 0),
        (200, "Cache-Control: max-age=0, stale-if-error=9", 0),
    ],
)
def test_the_lifetime_is_that_of_the_first_that_says_one(status: int, text: str, lifetime: int) -> None:
    reuse = reuse_of(status, headers(text), received_at=NOW)
    assert reuse is not None
    assert reuse.lifetime == lifetime


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [
        ("Content-Type: text/html", 9),
        ("Last-Modified: @-1000", 9),
        ("Cache-Control: max-age=2", 2),
        ("Expires: @3", 3),
        ("CDN-Cache-Control: max-age=4", 4),
    ],
)
def test_a_rules_lifetime_is_for_answers_that_say_nothing(text: str, lifetime: int) -> None:
    reuse = reuse_of(200, headers(text), received_at=NOW, silent_seconds=9)
    assert reuse is not None
    assert reuse.lifetime == lifetime
    assert reuse_of(200, headers("Cache-Control: no-store"), received_at=NOW, silent_seconds=9) is None
    assert reuse_of(500, [], received_at=NOW, silent_seconds=9) is None


@pytest.mark.parametrize(
    ("said", "is_stored"),
    [("max-age=9", False), ("public", True), ("max-age=9, must-revalidate", True), ("s-maxage=9", True)],
)
def test_with_credentials_only_what_is_for_everybody_is_stored(said: str, is_stored: bool) -> None:
    text = f'ETag: "a" | Cache-Control: {said}'
    assert (reuse_of(200, headers(text), received_at=NOW, has_credentials=True) is not None) == is_stored


@pytest.mark.parametrize("forbids", ["must-revalidate", "proxy-revalidate", "s-maxage=1", "no-cache"])
def test_what_must_be_validated_is_never_answered_stale(forbids: str) -> None:
    text = f'ETag: "a" | Cache-Control: {forbids}, max-age=1, stale-while-revalidate=90, stale-if-error=90'
    reuse = reuse_of(200, headers(text), received_at=NOW)
    assert reuse is not None
    assert judge(reuse, 5, Demands(max_stale=math.inf)) is Verdict.VALIDATE
    assert not may_answer_error(reuse, 5, Demands())


@pytest.mark.parametrize(
    ("text", "took", "age"),
    [
        ("Date: @0", 0, 0),
        ("Date: @-5", 0, 5),
        ("Date: @500", 0, 0),  # The service's clock is ahead.
        ("", 0, 0),
        ("Date: yesterday", 0, 0),
        ("Date: @0 | Age: 30", 0, 30),
        ("Date: @-50 | Age: 30", 0, 50),
        ("Date: @0 | Age: 30", 2, 32),
        ("Date: @0 | Age: 30, 90", 0, 30),
        ("Date: @0 | Age: 30 | Age: 90", 0, 30),
        ("Date: @0 | Age: -1", 0, 0),
        ("Date: @0 | Age: 1.5", 0, 0),
        ("Date: @0 | Age: \u00b2", 0, 0),
    ],
)
def test_the_age_of_an_answer_that_has_just_come(text: str, took: float, age: float) -> None:
    assert initial_age(headers(text), requested_at=NOW - took, received_at=NOW) == age


@pytest.mark.parametrize(
    ("environ", "demands"),
    [
        ({}, Demands()),
        ({"HTTP_CACHE_CONTROL": "no-cache"}, Demands(no_cache=True)),
        ({"HTTP_CACHE_CONTROL": "no-store, only-if-cached"}, Demands(no_store=True, only_if_cached=True)),
        ({"HTTP_CACHE_CONTROL": "max-age=5, min-fresh=6, max-stale=7"}, Demands(max_age=5, min_fresh=6, max_stale=7)),
        ({"HTTP_CACHE_CONTROL": "max-stale"}, Demands(max_stale=math.inf)),
        ({"HTTP_CACHE_CONTROL": "max-stale=x, max-age=x"}, Demands(max_age=0)),
        ({"HTTP_PRAGMA": "no-cache"}, Demands(no_cache=True)),
        ({"HTTP_PRAGMA": "no-cache", "HTTP_CACHE_CONTROL": "max-age=5"}, Demands(max_age=5)),
    ],
)
def test_what_a_request_asks_for(environ: dict[str, str], demands: Demands) -> None:
    assert read_demands(environ) == demands


FRESH, STALE, VALIDATE = Verdict.FRESH, Verdict.STALE, Verdict.VALIDATE


@pytest.mark.parametrize(
    ("reuse", "age", "demands", "verdict"),
    [
        (Reuse(lifetime=10), 9.9, Demands(), FRESH),
        (Reuse(lifetime=10), 10, Demands(), VALIDATE),
        (Reuse(lifetime=10), 0, Demands(no_cache=True), VALIDATE),
        (Reuse(lifetime=10, must_validate=True), 0, Demands(), VALIDATE),
        (Reuse(lifetime=10), 4, Demands(max_age=5), FRESH),
        (Reuse(lifetime=10), 5.1, Demands(max_age=5), VALIDATE),
        (Reuse(lifetime=10), 0, Demands(max_age=0), VALIDATE),
        (Reuse(lifetime=10, is_immutable=True), 5, Demands(max_age=0), FRESH),
        (Reuse(lifetime=10, is_immutable=True), 5, Demands(no_cache=True), VALIDATE),
        (Reuse(lifetime=10, is_immutable=True), 11, Demands(max_age=0), VALIDATE),
        (Reuse(lifetime=10), 4, Demands(min_fresh=5), FRESH),
        (Reuse(lifetime=10), 6, Demands(min_fresh=5), VALIDATE),
        (Reuse(lifetime=10), 15, Demands(max_stale=5), STALE),
        (Reuse(lifetime=10), 15.1, Demands(max_stale=5), VALIDATE),
        (Reuse(lifetime=10), 999, Demands(max_stale=math.inf), STALE),
        (Reuse(lifetime=10), 15, Demands(max_stale=9, max_age=12), VALIDATE),
        (Reuse(lifetime=10, may_be_stale=False), 11, Demands(max_stale=5), VALIDATE),
        (Reuse(lifetime=10, while_revalidate=5), 15, Demands(), STALE),
        (Reuse(lifetime=10, while_revalidate=5), 15.1, Demands(), VALIDATE),
        (Reuse(lifetime=10, while_revalidate=5), 12, Demands(min_fresh=1), VALIDATE),
        (Reuse(lifetime=0, while_revalidate=5), 0, Demands(), STALE),
    ],
)
def test_what_a_stored_answer_may_answer(reuse: Reuse, age: float, demands: Demands, verdict: Verdict) -> None:
    assert judge(reuse, age, demands) is verdict


@pytest.mark.parametrize(
    ("reuse", "age", "demands", "may"),
    [
        (Reuse(lifetime=10, if_error=5), 15, Demands(), True),
        (Reuse(lifetime=10, if_error=5), 15.1, Demands(), False),
        (Reuse(lifetime=10, if_error=5), 12, Demands(max_age=0), True),
        (Reuse(lifetime=10, if_error=5), 12, Demands(no_cache=True), False),
        (Reuse(lifetime=10), 5, Demands(max_age=0), False),
    ],
)
def test_what_may_stand_in_for_an_error(reuse: Reuse, age: float, demands: Demands, may: bool) -> None:
    assert may_answer_error(reuse, age, demands) == may


def test_the_names_in_vary_are_a_set() -> None:
    assert vary_names([("Vary", "Cookie, accept"), ("vary", "ACCEPT,")]) == ("accept", "cookie")
