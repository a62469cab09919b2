"""What is written as SQL is read again as it was."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import column, select, table

from chassis.database import Database, UtcDateTime
from chassis.dumps.statements import read_rows
from chassis.dumps.values import ValueReader
from chassis.dumps.writing import ClassicTable, read_in_batches, write_tables

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ZONE = ZoneInfo("Asia/Shanghai")
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["\\", "'", "a\\'b", '\0\n\r\x1a"', "%_", "`;--"]
)
ROWS = st.lists(st.tuples(TEXTS, st.none() | st.integers(-(2**31), 2**31 - 1), st.booleans()))


@UNHURRIED
@given(ROWS)
def test_values_survive(rows: list[tuple[Any, ...]]) -> None:
    sql = write_tables([ClassicTable("info_news", "  `a` int(11)", lambda: iter(rows))], ZONE)
    read = [row.values for row in read_rows(sql)]
    assert read == [(text, None if number is None else str(number), str(int(flag))) for text, number, flag in rows]


@UNHURRIED
@given(st.integers(10**9, 10**10), st.integers(0, 999_999))
def test_moments_survive(seconds: int, microsecond: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=microsecond)
    sql = write_tables([ClassicTable("t", "  `a` int(11)", lambda: iter([(moment,)]))], ZONE)
    (row,) = read_rows(sql)
    assert ValueReader(ZONE).read_value("a", UtcDateTime(), row.values[0]) == moment


def test_a_long_table_is_written_in_statements_of_a_size_that_servers_take() -> None:
    def rows() -> Iterator[tuple[str]]:
        yield from (("x" * 1000,) for _ in range(2000))

    pieces = list(write_tables([ClassicTable("t", "  `a` text", rows)], ZONE))
    assert max(map(len, pieces)) < 600_000
    assert sum(1 for _ in read_rows(pieces)) == 2000


def test_nothing_in_an_export_destroys_what_is_there() -> None:
    sql = "".join(write_tables([ClassicTable("t", "  `a` text", lambda: iter(()))], ZONE))
    assert "DROP" not in sql
    assert "INSERT" not in sql


def test_batches_read_every_row_once_by_a_key_of_two_columns(tmp_path: Any) -> None:
    database = Database(f"sqlite:///{tmp_path / 'some.db'}")
    pairs = [(number // 30, number % 30) for number in range(1300)]
    with database.write() as session:
        connection = session.connection()
        connection.exec_driver_sql("CREATE TABLE pairs (a INTEGER, b INTEGER, PRIMARY KEY (a, b))")
        connection.exec_driver_sql("INSERT INTO pairs VALUES (?, ?)", pairs[::-1])
    a, b = column("a"), column("b")
    query = select(a, b).select_from(table("pairs"))
    assert [tuple(row) for row in read_in_batches(database, query, (a, b))] == pairs
    database.close()
