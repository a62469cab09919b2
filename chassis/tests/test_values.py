"""The values of a dump's rows."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Boolean, Integer, String

from chassis.database import UtcDateTime
from chassis.dumps.report import TableReport
from chassis.dumps.statements import DumpRow
from chassis.dumps.values import RowReader, RowRefused, ValueReader, is_newer_here

KINDS = {"id": Integer(), "name": String(4), "is_new": Boolean(), "update_time": UtcDateTime()}
SHANGHAI = ValueReader(ZoneInfo("Asia/Shanghai"))
NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)


def rows(report: TableReport) -> RowReader:
    return RowReader(tuple(KINDS), KINDS, SHANGHAI, report, aliases={"title": "name"})


def test_values_become_those_of_the_columns() -> None:
    row = DumpRow("t", None, ("7", "名", "1", "2020-01-01 20:00:00"), 1)
    assert rows(TableReport()).read_row(row) == {"id": 7, "name": "名", "is_new": True, "update_time": NOON}


@pytest.mark.parametrize(
    ("name", "literal", "value"),
    [
        *(("id", b"\0\7", 7), ("name", "最".encode(), "最"), ("is_new", b"\1", True), ("is_new", b"\0", False)),
        *(("is_new", "\x01", True), ("is_new", "\0", False)),  # BIT(1) of mysqldump without --hex-blob.
        *(("update_time", b"2020-01-01 20:00:00", NOON), ("update_time", "2020-01-01T20:00:00", NOON)),
        *(("update_time", "2020-01-01 14:00:00+02", NOON), ("update_time", "2020-01-01 12:00:00Z", NOON)),
        *(("update_time", "2020-01-02", NOON.replace(hour=16)), ("update_time", "2020-01-01 07:00:00.0-05:00", NOON)),
    ],
)
def test_an_exporters_form_is_the_value_of_the_column(name: str, literal: str | bytes, value: object) -> None:
    assert rows(TableReport()).read_row(DumpRow("t", (name,), (literal,), 1)) == {name: value}


def test_a_row_that_the_dump_does_not_give_is_refused_in_its_words() -> None:
    with pytest.raises(RowRefused, match="b is missing"):
        rows(TableReport()).read_row(DumpRow("t", ("id",), (None,), 1, "b is missing"))


def test_columns_have_aliases_and_unknown_ones_are_noted() -> None:
    report = TableReport()
    assert rows(report).read_row(DumpRow("t", ("title", "colour"), ("a", "b"), 1)) == {"name": "a"}
    assert report.notes == {"the column colour is unknown and left out": 1}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("is_new", "yes", "is_new is not an integer"),
        ("name", "five5", "name is longer than 4 characters"),
        ("update_time", "2020-13-01 00:00:00", "update_time is not a time"),
        ("update_time", "20:00:00", "update_time is not a time"),
        ("id", bytes(9), "id is not an integer"),
        ("name", b"\xff", "name is binary, and not a text in UTF-8"),
    ],
)
def test_what_fits_no_column_is_refused_by_name(name: str, text: str | bytes, reason: str) -> None:
    with pytest.raises(RowRefused, match=reason):
        rows(TableReport()).read_row(DumpRow("t", (name,), (text,), 1))


@pytest.mark.parametrize(
    ("ours", "values", "is_newer"),
    [
        (NOON, {"update_time": NOON}, False),
        (NOON, {"update_time": NOON.replace(hour=11)}, True),
        (NOON, {"update_time": None}, True),
        (NOON, {}, False),
        (None, {"update_time": NOON}, False),
    ],
)
def test_only_a_later_time_of_ours_is_newer(ours: datetime | None, values: dict, is_newer: bool) -> None:
    assert is_newer_here(ours, values) is is_newer
