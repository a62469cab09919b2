"""The tokenizer of MySQL dumps."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.dumps.mysql_dump import DumpBroken, read_tokens, unquote

ESCAPES = {
    "\0": r"\0",
    "'": r"\'",
    '"': r"\"",
    "\b": r"\b",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\x1a": r"\Z",
    "\\": r"\\",
}


def escaped(text: str) -> str:
    """Escape like mysqldump (mysql_real_escape_string)."""
    return "".join(ESCAPES.get(character, character) for character in text)


def values(sql: str, piece: int = 7) -> list[str]:
    """The values of the tokens of a text that arrives in small pieces."""
    pieces = [sql[start : start + piece] for start in range(0, len(sql), piece)]
    return [token.value for token in read_tokens(pieces)]


@given(texts=st.lists(st.text(), min_size=1, max_size=6), piece=st.integers(1, 20))
def test_any_text_comes_back(texts: list[str], piece: int) -> None:
    sql = ",".join(f"'{escaped(text)}'" for text in texts)
    assert values(sql, piece) == list(itertools.chain.from_iterable((text, ",") for text in texts))[:-1]


@given(text=st.text(), piece=st.integers(1, 20))
def test_any_text_with_doubled_quotes_comes_back(text: str, piece: int) -> None:
    doubled = text.replace("\\", "\\\\").replace("'", "''")
    assert values(f"'{doubled}'", piece) == [text]


@given(text=st.text(), cut=st.integers(0))
def test_a_text_that_is_cut_off_is_never_read_as_whole(text: str, cut: int) -> None:
    whole = f"'{escaped(text)}'"
    # One character at least is gone; a cut inside the text leaves no closing quote.
    with pytest.raises(DumpBroken):
        values(whole[: 1 + cut % (len(whole) - 1)])


@pytest.mark.parametrize(
    ("quoted", "text"),
    [
        ("'it''s'", "it's"),
        (r"'it\'s'", "it's"),
        (r"'say \"x\"'", 'say "x"'),
        (r"'a\nb\rc\td\be\0f\Zg'", "a\nb\rc\td\be\0f\x1ag"),
        (r"'100\% a\_b'", r"100\% a\_b"),
        (r"'\q\世'", "q世"),
        (r"'C:\\data\\'", "C:\\data\\"),
        ("'''quoted'''", "'quoted'"),
        ("''", ""),
        ('"it\'s ""so"""', 'it\'s "so"'),
        ("'🚀𠮷'", "🚀𠮷"),
    ],
)
def test_mysql_escapes(quoted: str, text: str) -> None:
    assert unquote(quoted) == text
    assert values(quoted, 1) == [text]


def test_syntax_inside_a_text_is_text() -> None:
    inside = "a ; -- b /* c */ # d ` INSERT INTO `t` VALUES (1); \n-- e\n"
    assert values(f"('{inside}');") == ["(", inside, ")", ";"]


def test_comments_are_left_out() -> None:
    sql = "-- one ' \n# two '\n/* three ' \n */ a --\n/*!40101 SET x='y' */; b -- at the end '"
    assert values(sql) == ["a", ";", "b"]


def test_two_dashes_without_a_blank_are_no_comment() -> None:
    assert values("1--2") == ["1", "-", "-2"]


def test_numbers_and_names() -> None:
    assert values("(-1,+2,3.5,1e-5,0xFF,null,`a``b`,info_news)") == [
        *("(", "-1", ",", "+2", ",", "3.5", ",", "1e-5", ",", "0xFF", ",", "null", ",", "a`b", ",", "info_news", ")")
    ]


@pytest.mark.parametrize(
    ("sql", "what"),
    [("a\n'b", "a text"), ('a\n"b', "a text"), ("a\n`b", "a quoted name"), ("a\n/* b", "a comment")],
)
def test_an_end_in_the_middle_names_the_line(sql: str, what: str) -> None:
    with pytest.raises(DumpBroken, match=f"inside {what} that begins in line 2"):
        values(sql)


def test_lines_are_counted_through_texts() -> None:
    assert [token.line for token in read_tokens(["'a\nb'\n", "c 'd\n\ne' f"])] == [1, 3, 3, 5]
