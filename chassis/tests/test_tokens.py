"""The tokenizer of MySQL dumps."""

import itertools
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.dumps.tokens import Dialect, DumpBroken, Token, Tokenizer, unquote

# The machine may be busy.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

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


def read_tokens(pieces: Iterable[str], dialect: Dialect | None = None) -> Iterator[Token]:
    return Tokenizer(dialect or Dialect()).read_tokens(pieces)


def values(sql: str, piece: int = 7) -> list[str]:
    """The values of the tokens of a text that arrives in small pieces."""
    pieces = [sql[start : start + piece] for start in range(0, len(sql), piece)]
    return [token.value for token in read_tokens(pieces)]


@UNHURRIED
@given(texts=st.lists(st.text(), min_size=1, max_size=6), piece=st.integers(1, 20))
def test_any_text_comes_back(texts: list[str], piece: int) -> None:
    sql = ",".join(f"'{escaped(text)}'" for text in texts)
    assert values(sql, piece) == list(itertools.chain.from_iterable((text, ",") for text in texts))[:-1]


@UNHURRIED
@given(text=st.text(), piece=st.integers(1, 20))
def test_any_text_with_doubled_quotes_comes_back(text: str, piece: int) -> None:
    doubled = text.replace("\\", "\\\\").replace("'", "''")
    assert values(f"'{doubled}'", piece) == [text]


@UNHURRIED
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
    sql = "-- one ' \n# two '\n/* three ' \n */ a --\n; b -- at the end '"
    assert values(sql) == ["a", ";", "b"]


def test_what_mysql_executes_in_a_comment_is_no_comment() -> None:
    sql = "/*!50003 SET x='*/' /* a comment */ */; /*M!100401 b */ /*M!999999\\- enable ' */ c"
    assert values(sql, 3) == ["SET", "x", "=", "*/", ";", "b", "c"]


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


def kinds(sql: str, dialect: Dialect | None = None) -> list[tuple[str, str]]:
    """Kind and value of the tokens of a text that arrives character by character."""
    return [(token.kind, token.value) for token in read_tokens(list(sql), dialect)]


@pytest.mark.parametrize(
    ("delimiter", "line"),
    [
        ("//", "DELIMITER //"),
        (";;", "delimiter ;; -- the rest is nothing"),
        ("$$", "  DELIMITER\t$$"),
        ("end_of_it", "DELIMITER end_of_it"),
        ("|", "DELIMITER '|'"),
    ],
)
def test_a_delimiter_ends_statements_wherever_it_stands(delimiter: str, line: str) -> None:
    sql = f"a;\n{line}\nb; c{delimiter}d '{delimiter}' {delimiter} DELIMITER ;\ne;"
    assert kinds(sql) == [
        *(("word", "a"), ("end", ";"), ("word", "b"), ("mark", ";"), ("word", "c")),
        *(("end", delimiter), ("word", "d"), ("text", delimiter), ("end", delimiter), ("word", "e"), ("end", ";")),
    ]


def test_a_new_delimiter_ends_a_statement_that_has_no_end() -> None:
    assert kinds("DELIMITER //\na; END\n  DELIMITER ;\nb;") == [
        *(("word", "a"), ("mark", ";"), ("word", "END"), ("end", ""), ("word", "b"), ("end", ";"))
    ]


def test_a_column_may_be_called_delimiter() -> None:
    assert kinds("a\n delimiter int;") == [("word", "a"), ("word", "delimiter"), ("word", "int"), ("end", ";")]


def test_lines_for_a_client_are_left_out() -> None:
    sql = "\\restrict ab'c\nuse a'b\nUSE x;\n\\connect y\n"
    assert kinds(sql) == [("word", "USE"), ("word", "x"), ("end", ";")]


@pytest.mark.parametrize("quotes", ["$$", "$body$", "$_1$"])
def test_code_between_dollars_is_one_token(quotes: str) -> None:
    sql = f"a {quotes} it's; $other$ {quotes} b$c"
    assert kinds(sql) == [("word", "a"), ("code", sql[2:-4]), ("word", "b$c")]
    with pytest.raises(DumpBroken, match="inside code that begins in line 1"):
        kinds(sql[: -4 - len(quotes)])


def test_a_backslash_may_be_a_character_as_any_other() -> None:
    dialect = Dialect(has_backslashes=False)
    sql = r"""'C:\' "a\" 'it''s\n' E'it\'s\t\x41\101\u6700' e'' """
    assert kinds(sql.replace("\\\\", "\\"), dialect) == [
        *(("text", "C:\\"), ("quoted", "a\\"), ("text", "it's\\n"), ("text", "it's\tAA最"), ("text", ""))
    ]


@UNHURRIED
@given(texts=st.lists(st.text(), min_size=1, max_size=6), piece=st.integers(1, 20))
def test_any_text_without_escapes_comes_back(texts: list[str], piece: int) -> None:
    sql = " ".join("'" + text.replace("'", "''") + "'" for text in texts)
    pieces = [sql[start : start + piece] for start in range(0, len(sql), piece)]
    tokens = read_tokens(pieces, Dialect(has_backslashes=False))
    assert [token.value for token in tokens] == texts


@UNHURRIED
@given(sql=st.text("adeDELIMTR;/$*!'\"`\\-#.1 \n()"), piece=st.integers(1, 9))
def test_T45_the_size_of_the_pieces_makes_no_difference(sql: str, piece: int) -> None:
    assert _outcome([sql]) == _outcome([sql[start : start + piece] for start in range(0, len(sql), piece)])


def _outcome(pieces: list[str]) -> list[Token] | str:
    try:
        return list(read_tokens(pieces))
    except DumpBroken as broken:
        return str(broken)
