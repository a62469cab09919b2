"""304, parts and the merging of heads, as tables of RFC 9110 and RFC 9111."""

import pytest

from gateway.cache.conditions import (
    Part,
    RangeNotSatisfiable,
    StoredAnswer,
    headers_of_304,
    is_about,
    is_not_modified,
    merge_headers,
    own_conditions,
    wanted_part,
)

CHANGED, ANSWERED = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:00 GMT"
EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT"
DATED = [("Last-Modified", CHANGED), ("Date", ANSWERED)]


def stored(*lines: tuple[str, str], status: int = 200, body: bytes = b"0123456789") -> StoredAnswer:
    return StoredAnswer(status, [*lines, *DATED], body)


@pytest.mark.parametrize(
    ("etag", "known", "is_met"),
    [
        ('"a"', '"a"', True),
        ('"a"', 'W/"a"', True),
        ('W/"a"', '"a"', True),
        ('"a"', '"b", W/"a" ,"c"', True),
        ('"a,b"', '"a,b"', True),
        ('"b"', '"a,b"', False),
        ('"a"', "*", True),
        ('"a"', "a", False),
        ('"a"', '"A"', False),
        ('"a"', "", False),
        ("a", '"a"', False),
    ],
)
def test_if_none_match_compares_weakly(etag: str, known: str, is_met: bool) -> None:
    assert is_not_modified(stored(("ETag", etag)), {"HTTP_IF_NONE_MATCH": known}) == is_met


@pytest.mark.parametrize(
    ("since", "is_met"),
    [(CHANGED, True), (ANSWERED, True), (EARLIER, False), ("yesterday", False), (f"{CHANGED},{CHANGED}", False)],
)
def test_if_modified_since_compares_dates(since: str, is_met: bool) -> None:
    assert is_not_modified(stored(), {"HTTP_IF_MODIFIED_SINCE": since}) == is_met


def test_if_none_match_wins_over_if_modified_since() -> None:
    environ = {"HTTP_IF_NONE_MATCH": '"b"', "HTTP_IF_MODIFIED_SINCE": CHANGED}
    assert not is_not_modified(stored(("ETag", '"a"')), environ)


def test_without_last_modified_the_date_counts() -> None:
    assert is_not_modified(StoredAnswer(200, [("Date", CHANGED)], b""), {"HTTP_IF_MODIFIED_SINCE": CHANGED})
    assert not is_not_modified(StoredAnswer(200, [], b""), {"HTTP_IF_MODIFIED_SINCE": CHANGED})


def test_only_successes_become_304() -> None:
    assert not is_not_modified(stored(("ETag", '"a"'), status=404), {"HTTP_IF_NONE_MATCH": '"a"'})


def test_a_304_says_nothing_about_a_body() -> None:
    about_body = [("Content-Type", "a/b"), ("content-length", "5"), ("Content-Encoding", "gzip")]
    kept = [("ETag", '"a"'), ("Vary", "Accept"), ("Content-Location", "/a"), ("Content-Security-Policy", "x")]
    assert headers_of_304([*about_body, *kept]) == kept


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-3", Part(0, 4)),
        ("Bytes= 2-2", Part(2, 3)),
        ("bytes=7-", Part(7, 10)),
        ("bytes=5-99", Part(5, 10)),
        ("bytes=-3", Part(7, 10)),
        ("bytes=-99", Part(0, 10)),
        ("bytes=3-2", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
    ],
)
def test_one_part_is_served(asked: str, part: Part | None) -> None:
    assert wanted_part(stored(), {"REQUEST_METHOD": "GET", "HTTP_RANGE": asked}) == part


@pytest.mark.parametrize(("asked", "body"), [("bytes=10-", b"0123456789"), ("bytes=-0", b"01"), ("bytes=-1", b"")])
def test_a_part_that_is_not_there_is_refused(asked: str, body: bytes) -> None:
    with pytest.raises(RangeNotSatisfiable):
        wanted_part(stored(body=body), {"REQUEST_METHOD": "GET", "HTTP_RANGE": asked})


@pytest.mark.parametrize(
    ("condition", "counts"),
    [('"a"', True), ('W/"a"', False), ('"b"', False), (CHANGED, True), (ANSWERED, False), ("x", False)],
)
def test_if_range_compares_exactly(condition: str, counts: bool) -> None:
    environ = {"REQUEST_METHOD": "GET", "HTTP_RANGE": "bytes=0-0", "HTTP_IF_RANGE": condition}
    assert (wanted_part(stored(("ETag", '"a"')), environ) is not None) == counts


def test_a_date_as_new_as_the_answer_is_not_exact() -> None:
    fresh = StoredAnswer(200, [("Last-Modified", CHANGED), ("Date", CHANGED)], b"0123")
    environ = {"REQUEST_METHOD": "GET", "HTTP_RANGE": "bytes=0-0", "HTTP_IF_RANGE": CHANGED}
    assert wanted_part(fresh, environ) is None


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 404)])
def test_a_range_is_for_a_get_of_a_200(method: str, status: int) -> None:
    assert wanted_part(stored(status=status), {"REQUEST_METHOD": method, "HTTP_RANGE": "bytes=0-0"}) is None


def test_both_validators_ask_the_service() -> None:
    lines = [("etag", 'W/"a"'), ("Last-Modified", CHANGED), ("Content-Type", "a/b")]
    assert own_conditions(lines) == [("If-None-Match", 'W/"a"'), ("If-Modified-Since", CHANGED)]


@pytest.mark.parametrize(
    ("ours", "theirs", "is_ours"), [('"a"', '"a"', True), ('"a"', 'W/"a"', True), ('"a"', '"b"', False)]
)
def test_a_304_with_another_etag_is_about_something_else(ours: str, theirs: str, is_ours: bool) -> None:
    assert is_about([("ETag", ours)], [("ETag", theirs)]) == is_ours
    assert is_about([("ETag", ours)], [])


def test_a_304_changes_the_stored_head_but_for_its_body() -> None:
    old = [("Content-Type", "a/b"), ("Content-Length", "5"), ("X-A", "1"), ("x-a", "2"), ("X-B", "3"), ("Age", "9")]
    fresh = [("content-type", "c/d"), ("Content-Length", "0"), ("X-a", "4"), ("X-C", "5"), ("Content-Encoding", "br")]
    kept = [("Content-Type", "a/b"), ("Content-Length", "5"), ("X-B", "3")]
    assert merge_headers(old, fresh) == [*kept, ("X-a", "4"), ("X-C", "5")]
