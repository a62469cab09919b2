"""Cuts the SQL of a MySQL dump into tokens, as a stream and without MySQL.

Nothing inside a text is ever taken for syntax, which is why no file is split at ``;`` or into lines. Texts follow
MySQL's rules: ``''`` and ``\\'`` are a quote, ``\\n \\r \\t \\b \\0 \\Z`` are controls, ``\\%`` and ``\\_`` keep their
backslash, and before any other character it is dropped (MySQL manual, "String Literals").
"""

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

# A longer token has no end. (MySQL's packets are at most half as long.)
_LONGEST = 32 * 1024 * 1024
_LOOKAHEAD = 2
_TOKEN = re.compile(
    r"""
    (?P<blank> \s++ | \#[^\n]*+\n | --(?=\s)[^\n]*+\n | /\*.*?\*/ )
  | (?P<text> ' (?:[^'\\]++ | \\. | '')*+ ' | " (?:[^"\\]++ | \\. | "")*+ " )
  | (?P<name> ` (?:[^`]++ | ``)*+ ` )
  | (?P<word> [+-]?[\w.$@]++ (?: (?<=[eE]) [+-][0-9]++ )? )
  | (?P<mark> [^'"`\#/-] | /(?!\*) | -(?!-) | -(?=-\S) )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = {"'": re.compile(r"\\(.)|''", re.DOTALL), '"': re.compile(r'\\(.)|""', re.DOTALL)}
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "0": "\0", "Z": "\x1a", "%": r"\%", "_": r"\_"}


class DumpBroken(Exception):
    """The file is not a dump that we can read. The text says where and why, and repeats nothing of the contents."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL: ``kind`` is text, name, word or mark; ``value`` is without quotes and escapes."""

    kind: str
    value: str
    line: int

    def is_mark(self, mark: str) -> bool:
        """Say whether this is a certain mark."""
        return self.kind == "mark" and self.value == mark

    def is_word(self, *words: str) -> bool:
        """Say whether this is one of some keywords, given in upper case."""
        return self.kind == "word" and self.value.upper() in words


def read_tokens(chunks: Iterable[str]) -> Iterator[Token]:
    """Cut SQL that comes in pieces of any size into tokens, without comments and blanks.

    Raises:
        DumpBroken: the file ends inside a text, a quoted name or a comment.
    """
    rest, line = "", 1
    for chunk in chunks:
        rest += chunk
        line, end = yield from _cut(rest, line, is_whole=False)
        rest = rest[end:]
        if len(rest) > _LONGEST:
            raise _endless(rest, line)
    # A comment at the very end has no newline of its own.
    rest += "\n"
    line, end = yield from _cut(rest, line, is_whole=True)
    if end < len(rest):
        raise _endless(rest[end:], line)


def unquote(quoted: str) -> str:
    """Return the value of a MySQL text, given with its quotes."""
    quote, inner = quoted[0], quoted[1:-1]
    if "\\" not in inner and quote not in inner:
        return inner
    return _ESCAPE[quote].sub(lambda match: quote if match[1] is None else _ESCAPED.get(match[1], match[1]), inner)


def _cut(sql: str, line: int, *, is_whole: bool) -> Generator[Token, None, tuple[int, int]]:
    position = 0
    while match := _TOKEN.match(sql, position):
        if not is_whole and match.end() > len(sql) - _LOOKAHEAD:
            break  # More of this token may follow: the second of two quotes, the rest of a word or of "1e-5".
        kind = match.lastgroup or "blank"
        if kind != "blank":
            yield Token(kind, _value(kind, match[0]), line)
        line += match[0].count("\n")
        position = match.end()
    return line, position


def _value(kind: str, piece: str) -> str:
    if kind == "text":
        return unquote(piece)
    return piece[1:-1].replace("``", "`") if kind == "name" else piece


def _endless(rest: str, line: int) -> DumpBroken:
    what = {"'": "a text", '"': "a text", "`": "a quoted name"}.get(rest[0], "a comment")
    return DumpBroken(f"the file ends inside {what} that begins in line {line}; it is cut off, or not an SQL dump")
