"""Bodies that are recorded on their way to a client."""

from collections.abc import Iterator

import pytest

from gateway.cache.answers import RecordedBody


class Parts:
    """A body in parts; it may break off, and knows whether it was closed."""

    def __init__(self, *parts: bytes, error: Exception | None = None) -> None:
        self.is_closed = False
        self._parts = iter(parts)
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.is_closed = True


def test_a_body_is_kept_at_its_end() -> None:
    kept: list[bytes | None] = []
    body = RecordedBody(Parts(b"a", b"b"), length=None, most_bytes=9, on_end=kept.append)
    assert (list(body), kept) == ([b"a", b"b"], [b"ab"])
    body.close()
    assert kept == [b"ab"]


def test_a_body_of_known_length_is_kept_before_its_last_part_is_passed_on() -> None:
    kept: list[bytes | None] = []
    body = RecordedBody(Parts(b"a", b"b"), length=2, most_bytes=9, on_end=kept.append)
    assert (next(body), kept) == (b"a", [])
    assert (next(body), kept) == (b"b", [b"ab"])
    assert (list(body), kept) == ([], [b"ab"])


def test_a_body_that_breaks_off_is_not_kept() -> None:
    kept: list[bytes | None] = []
    body = RecordedBody(Parts(b"a", error=ConnectionResetError()), length=None, most_bytes=9, on_end=kept.append)
    with pytest.raises(ConnectionResetError):
        list(body)
    assert kept == [None]


def test_a_body_that_is_closed_early_or_too_long_is_not_kept() -> None:
    kept: list[bytes | None] = []
    early = Parts(b"a", b"b")
    body = RecordedBody(early, length=None, most_bytes=9, on_end=kept.append)
    next(body)
    body.close()
    assert (kept, early.is_closed) == ([None], True)
    assert list(RecordedBody(Parts(b"ab", b"c"), length=None, most_bytes=2, on_end=kept.append)) == [b"ab", b"c"]
    assert kept == [None, None]


def test_a_thread_reads_to_the_end_or_until_nothing_is_kept() -> None:
    kept: list[bytes | None] = []
    whole, long = Parts(b"a", b"b"), Parts(b"abc", *[b"d"] * 100)
    RecordedBody(whole, length=None, most_bytes=9, on_end=kept.append).finish()
    RecordedBody(long, length=None, most_bytes=2, on_end=kept.append).finish()
    assert (kept, whole.is_closed, long.is_closed) == ([b"ab", None], True, True)
