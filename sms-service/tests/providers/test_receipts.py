"""Receipts that come as JSON: how much is read, and what is refused."""

import json

import pytest

from sms_service.providers.receipts import ReceiptMalformed, Row, parse_row, parse_rows


def test_a_hundred_receipts_are_read_and_no_more() -> None:
    assert len(parse_rows(json.dumps([{}] * 100).encode())) == 100
    with pytest.raises(ReceiptMalformed):
        parse_rows(json.dumps([{}] * 101).encode())


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"null", b"[1]", b"[[]]", b"[{}, null]", b"\xff", b"[" * 100_000, b"[]" + b" " * 262_144]
)
def test_what_is_no_short_array_of_objects_is_malformed(body: bytes) -> None:
    with pytest.raises(ReceiptMalformed):
        parse_rows(body)


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b'{"x":' * 50_000])
def test_what_is_no_object_is_malformed(body: bytes) -> None:
    with pytest.raises(ReceiptMalformed):
        parse_row(body)


def test_texts_may_be_absent_or_null() -> None:
    assert [
        Row({"a": None}).optional_text("a"),
        Row({}).optional_text("a"),
        Row({"a": "x" * 128}).optional_text("a"),
    ] == [
        "",
        "",
        "x" * 128,
    ]


@pytest.mark.parametrize("value", [1, True, [], {}, "x" * 129, "a\nb", "\ud800"])
def test_what_is_no_short_text_is_malformed(value: object) -> None:
    with pytest.raises(ReceiptMalformed):
        Row({"a": value}).optional_text("a")


@pytest.mark.parametrize("row", [{}, {"a": None}, {"a": ""}])
def test_a_needed_text_must_be_there(row: dict[str, object]) -> None:
    with pytest.raises(ReceiptMalformed, match="a is missing"):
        Row(row).required_text("a")
