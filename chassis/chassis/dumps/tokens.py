"""Cuts the SQL of a dump into tokens, as a stream and without a database.

Nothing inside a text is ever taken for syntax, which is why no file is split at ``;`` or into lines. Texts follow
MySQL's rules: ``''`` and ``\\'`` are a quote, ``\\n \\r \\t \\b \\0 \\Z`` are controls, ``\\%`` and ``\\_`` keep their
backslash, and before any other character it is dropped (MySQL manual, "String Literals"). Dumps of other databases say
by their settings that a backslash is a character as any other; see `Dialect`.
"""

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

# A longer token has no end. (MySQL's packets are at most half as long.)
_LONGEST = 32 * 1024 * 1024
_LOOKAHEAD = 2
# ``{end}`` is the delimiter, ``{escape}`` what a backslash in a text is. The contents of ``/*!50003 … */`` are SQL, as
# MySQL executes them; no version is as high as 99999 (mariadb-dump begins its files with ``/*M!999999\- … */``).
_TOKEN = r"""
    (?P<end> {end} )
  | (?P<blank> \s++ | \#[^\n]*+\n | --(?=\s)[^\n]*+\n | /\*M?!9{{5,6}}.*?\*/ | /\*(?!M?!).*?\*/
      | /\*M?!(?!9{{5}})[0-9]*+ | \*/ )
  | (?P<text> ' (?:[^'\\]++ | {escape} | '')*+ ' )
  | (?P<quoted> " (?:[^"\\]++ | {escape} | "")*+ " )
  | (?P<escaped> [eE]' (?:[^'\\]++ | \\. | '')*+ ' )
  | (?P<name> ` (?:[^`]++ | ``)*+ ` )
  | (?P<code> \$(?P<tag>(?:[^\W\d]\w*+)?)\$ .*? \$(?P=tag)\$ )
  | (?P<word> (?![eE]'|\$\w*\$) [+-]?(?:(?!{end})[\w.$@])++ (?: (?<=[eE]) [+-][0-9]++ )? )
  | (?P<mark> [^\w.$@'"`\#/-] | /(?!\*) | -(?!-) | -(?=-\S) )
"""
_ESCAPE = {"'": re.compile(r"\\(.)|''", re.DOTALL), '"': re.compile(r'\\(.)|""', re.DOTALL)}
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "0": "\0", "Z": "\x1a", "%": r"\%", "_": r"\_"}
# PostgreSQL manual, "String Constants with C-Style Escapes".
_C_ESCAPE = re.compile(r"''|\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_C_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_HIGHEST_CHARACTER = 0x10FFFF
# Lines that a client obeys and no server sees: of mysql, and with a backslash of psql.
_COMMAND = re.compile(r"(?:delimiter|use|source)[ \t]|\\", re.IGNORECASE)
_DELIMITER = re.compile(r"delimiter[ \t]+(?P<delimiter>\S+)[^\n]*\n", re.IGNORECASE)
_OTHER_COMMAND = re.compile(r"(?:use|source)[ \t][^\n;]*\n|\\[^\n]*\n", re.IGNORECASE)


class DumpBroken(Exception):
    """The file is not a dump that we can read. The text says where and why, and repeats nothing of the contents."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL.

    ``kind`` is text (in single quotes), quoted (in double quotes), name (in backticks), word, mark, code (between
    dollar signs) or end (the delimiter of statements); ``value`` is without quotes and escapes.
    """

    kind: str
    value: str
    line: int

    def is_mark(self, mark: str) -> bool:
        """Say whether this is a certain mark."""
        return self.kind == "mark" and self.value == mark

    def is_word(self, *words: str) -> bool:
        """Say whether this is one of some keywords, given in upper case."""
        return self.kind == "word" and self.value.upper() in words


@dataclass
class Dialect:
    """How the rest of a dump is read. It begins as that of MySQL, and the dump's own statements change it.

    ``delimiter`` ends statements; ``has_backslashes`` says whether a backslash in a text begins an escape;
    ``has_quoted_names`` whether double quotes stand around names (ANSI), not texts; ``saved_modes`` are both by the
    variable into which the dump saved MySQL's mode.
    """

    delimiter: str = ";"
    has_backslashes: bool = True
    has_quoted_names: bool = False
    saved_modes: dict[str, tuple[bool, bool]] = field(default_factory=dict)


class Tokenizer:
    """Cuts SQL into tokens without comments and blanks; obeys ``DELIMITER`` and skips the other lines of clients."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._line = 1
        self._begins_statement = self._begins_line = True

    def read_tokens(self, chunks: Iterable[str]) -> Iterator[Token]:
        """Cut SQL that comes in pieces of any size.

        Raises:
            DumpBroken: the file ends inside a text, a quoted name, a comment or code between dollar signs.
        """
        rest = ""
        for chunk in chunks:
            rest += chunk
            rest = rest[(yield from self._cut(rest, is_whole=False)) :]
            if len(rest) > _LONGEST:
                raise self._endless(rest)
        # A comment at the very end has no newline of its own.
        rest += "\n"
        end = yield from self._cut(rest, is_whole=True)
        if end < len(rest):
            raise self._endless(rest[end:])

    def _cut(self, sql: str, *, is_whole: bool) -> Generator[Token, None, int]:
        position = 0
        while True:
            if self._begins_line and _COMMAND.match(sql, position):
                if not is_whole and sql.find("\n", position) < 0:
                    break
                end = yield from self._obey(sql, position)
                if end > position:
                    position = end
                    continue
            match = self._pattern().match(sql, position)
            # More of this token may follow: the second of two quotes, the rest of a word, of "1e-5" or of a delimiter.
            if not match or (not is_whole and match.end() > len(sql) - self._lookahead()):
                break
            yield from self._token(match)
            position = match.end()
        return position

    def _pattern(self) -> re.Pattern[str]:
        return _pattern(self._dialect.delimiter, has_backslashes=self._dialect.has_backslashes)

    def _lookahead(self) -> int:
        return max(_LOOKAHEAD, len(self._dialect.delimiter))

    def _token(self, match: re.Match[str]) -> Iterator[Token]:
        kind, piece, line = match.lastgroup or "blank", match[0], self._line
        self._line += piece.count("\n")
        if kind == "blank":
            self._begins_line |= "\n" in piece
            return
        self._begins_statement = self._begins_line = kind == "end"
        yield Token(*_value(kind, piece, has_backslashes=self._dialect.has_backslashes), line)

    def _obey(self, sql: str, position: int) -> Generator[Token, None, int]:
        """Obey the client's command that may stand here, and return where it ends."""
        if match := _DELIMITER.match(sql, position):
            # Inside a statement only marks can be meant: ``delimiter varchar(4)`` in a line of its own is a column.
            if not self._begins_statement and re.search(r"\w", match["delimiter"]):
                return position
            if not self._begins_statement:
                yield Token("end", "", self._line)
            self._dialect.delimiter = match["delimiter"].strip("'\"`") or ";"
        elif self._begins_statement:
            match = _OTHER_COMMAND.match(sql, position)
        if match is None:
            return position
        self._begins_statement = self._begins_line = True
        self._line += 1
        return match.end()

    def _endless(self, rest: str) -> DumpBroken:
        what = {"'": "a text", '"': "a text", "`": "a quoted name", "$": "code"}.get(rest[0], "a comment")
        place = f"{what if rest[0] not in 'eE' else 'a text'} that begins in line {self._line}"
        return DumpBroken(f"the file ends inside {place}; it is cut off, or not an SQL dump")


@cache
def _pattern(delimiter: str, *, has_backslashes: bool) -> re.Pattern[str]:
    pattern = _TOKEN.format(end=re.escape(delimiter), escape=r"\\." if has_backslashes else r"\\")
    return re.compile(pattern, re.VERBOSE | re.DOTALL)


def _value(kind: str, piece: str, *, has_backslashes: bool) -> tuple[str, str]:
    """Return the kind of a token and its value."""
    if kind == "escaped":
        return "text", _C_ESCAPE.sub(_c_character, piece[2:-1])
    if kind in ("text", "quoted"):
        quote = piece[0]
        return kind, unquote(piece) if has_backslashes else piece[1:-1].replace(quote * 2, quote)
    return kind, piece[1:-1].replace("``", "`") if kind == "name" else piece


def unquote(quoted: str) -> str:
    """Return the value of a MySQL text, given with its quotes."""
    quote, inner = quoted[0], quoted[1:-1]
    if "\\" not in inner and quote not in inner:
        return inner
    return _ESCAPE[quote].sub(lambda match: quote if match[1] is None else _ESCAPED.get(match[1], match[1]), inner)


def _c_character(match: re.Match[str]) -> str:
    if match[0] == "''":
        return "'"
    if match[5] is not None:
        return _C_ESCAPED.get(match[5], match[5])
    code = int(match[4], 8) if match[4] else int(match[1] or match[2] or match[3], 16)
    return chr(code) if code <= _HIGHEST_CHARACTER else "\ufffd"
