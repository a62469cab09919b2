"""The values of a dump's rows: what exporters write is decoded, and everything else refuses its row."""

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.dumps.statements import read_rows

# The machine may be busy.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def rows(sql: str) -> list[tuple[tuple[str, ...] | None, tuple[object, ...]]]:
    return [(row.columns, row.values) for row in read_rows([sql])]


def problems(sql: str) -> list[tuple[int, str]]:
    """Line and problem of every row; none of a row that can be read."""
    return [(row.line, row.problem) for row in read_rows([sql])]


COMPUTED = "would have to be computed by a database; write the value itself, as mysqldump does"
EXPRESSION = "is an expression; write the value itself, as mysqldump does"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("NOW()", COMPUTED),
        ("CURRENT_TIMESTAMP", COMPUTED),
        ("current_timestamp(6)", COMPUTED),
        ("CAST('1' AS CHAR)", COMPUTED),
        ("STR_TO_DATE('a,b)', '%Y')", COMPUTED),
        ("REPLACE('a', ';', char(10))", COMPUTED),
        (
            "(SELECT max(id) FROM t)",
            "is neither a text nor a number nor NULL; write the value itself, as mysqldump does",
        ),
        ("@a", "is a word without quotes; write texts in single quotes"),
        ("draft", "is a word without quotes; write texts in single quotes"),
        ("DEFAULT", "is a default that only the other database knows; write the value itself, as mysqldump does"),
        ("1 + 1", EXPRESSION),
        ("'a' 'b'", EXPRESSION),
        ("'a' || 'b'", EXPRESSION),
        ("'a' COLLATE utf8mb4_bin", EXPRESSION),
        ("", "is missing"),
        ("X'4'", "is a hexadecimal value with wrong digits"),
        ("0x4G", "is a word without quotes; write texts in single quotes"),
        ("b'2'", "is a text with a prefix that no import knows; write a plain text in single quotes"),
        ("U&'a'", "is a word without quotes; write texts in single quotes"),
        ("INTERVAL '1 day'", "is a text with a prefix that no import knows; write a plain text in single quotes"),
        ("_gbk 0xB0A1", "is in a character set that no import knows; export with the character set utf8mb4"),
        ("_utf8mb4 0xFF", "is not UTF-8, although it says so"),
        ("$$a$$", "is neither a text nor a number nor NULL; write the value itself, as mysqldump does"),
        ("`a`", "is neither a text nor a number nor NULL; write the value itself, as mysqldump does"),
    ],
)
def test_what_is_no_constant_refuses_its_row_with_its_line_and_nothing_else(value: str, problem: str) -> None:
    sql = f"INSERT INTO t (a, b) VALUES (1, 'x'),\n(2, {value}),\n(3, 'y');\nINSERT INTO t SET a=4, b={value};"
    assert problems(sql) == [(1, ""), (2, f"b {problem}"), (3, ""), (4, f"b {problem}")]
    assert problems(f"INSERT INTO t VALUES ({value}, 1), (2, 3)") == [(1, f"value 1 {problem}"), (1, "")]


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        *(("0x41", b"A"), ("0xA", b"\n"), ("X'e69c80'", "最".encode()), ("x''", b"")),
        *(("b'1'", b"\1"), ("B'0'", b"\0"), ("0b1", b"\1"), ("b'100000000'", b"\1\0")),
        *(("_binary 'a'", b"a"), ("_binary '\\0'", b"\0"), ("_binary 0x41", b"A"), ("_utf8mb4 0xE69C80", "最")),
        *(("_utf8mb4'最'", "最"), ("_utf8 X'41'", "A"), ("_latin1'a'", "a"), ("N'最'", "最"), (r"E'a\'b'", "a'b")),
        *(("DATE '2019-01-01'", "2019-01-01"), ("TIMESTAMP '2019-01-01 08:00:00'", "2019-01-01 08:00:00")),
        *(("TIME '08:00:00'", "08:00:00"), ("TRUE", "1"), ("false", "0"), ("NULL", None)),
        *(("'2019-01-01'::timestamp(6) without time zone", "2019-01-01"), ("'a'::character varying(4)", "a")),
        *(("NULL::integer", None), ("-1.5e+10", "-1.5e+10"), (".5", ".5"), ("5.", "5."), ('"it\'s"', "it's")),
    ],
)
def test_a_constant_of_an_exporter_is_decoded(literal: str, value: object) -> None:
    assert rows(f"INSERT INTO t VALUES ({literal}, 1), (2, {literal});") == [
        *((None, (value, "1")), (None, ("2", value)))
    ]
    assert rows(f"INSERT INTO t SET a={literal}, b=2 ON DUPLICATE KEY UPDATE a=1") == [(("a", "b"), (value, "2"))]


@UNHURRIED
@given(values=st.lists(st.sampled_from(["a", ";", "//", "(", "NOW()"]) | st.text(), min_size=1), data=st.data())
def test_T45_a_value_is_what_was_exported_whatever_the_form(values: list[str], data: st.DataObject) -> None:
    forms: list[Callable[[str], str]] = [
        lambda text: "'" + text.replace("\\", "\\\\").replace("'", "''") + "'",
        lambda text: "_utf8mb4'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'",
        lambda text: "_utf8mb4 0x" + (text or "0").encode().hex(),
        lambda text: f"_utf8mb4 X'{text.encode().hex()}'",
        lambda text: "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'",
    ]
    literals = [data.draw(st.sampled_from(forms if text else forms[:2]))(text) for text in values]
    assert rows(f"INSERT INTO t VALUES ({','.join(literals)});") == [(None, tuple(values))]


@UNHURRIED
@given(value=st.text("NOWULab x01.,+|:@\n(;)=", max_size=16))
def test_T45_what_is_no_constant_is_never_a_value_and_costs_no_other_row(value: str) -> None:
    read = list(read_rows([f"INSERT INTO t VALUES ({value});\nINSERT INTO t VALUES ('last');"]))
    assert read[-1].values == ("last",)
    for row in read[:-1]:
        assert row.problem or all(is_constant(each) for each in row.values)


def is_constant(value: object) -> bool:
    return value is None or bool(re.fullmatch(r"[+-]?[0-9.]+", str(value))) or isinstance(value, bytes)
