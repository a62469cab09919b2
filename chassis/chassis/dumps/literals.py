"""The values of an INSERT: which forms of a constant exporters write, and what each of them means.

Texts, numbers, NULL, TRUE and FALSE; MySQL's hexadecimal and bit values (``0x41``, ``X'41'``, ``b'1'``) and character
sets before a text (``_utf8mb4'…'``, ``N'…'``); ``DATE '…'``, ``TIME '…'``, ``TIMESTAMP '…'`` of standard SQL; a type
after a value as PostgreSQL has it (``'…'::timestamp``). Whatever else stands there would have to be computed.
"""

import re

from chassis.dumps.token_stream import TokenStream
from chassis.dumps.tokens import Token

Literal = str | bytes | None
"""A number is a text here, because quotes around it say nothing; what may be either is bytes (MySQL: ``0x41``)."""

_CONSTANTS = {"NULL": None, "TRUE": "1", "FALSE": "0"}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_HEX, _BITS = re.compile(r"0x([0-9A-Fa-f]+)"), re.compile(r"0b([01]+)")
_TEMPORAL = ("DATE", "TIME", "TIMESTAMP", "DATETIME")
_UTF8 = ("_UTF8", "_UTF8MB3", "_UTF8MB4")
_ENDS_ROW = ("ON", "AS", "RETURNING")  # After INSERT … SET a=1, in place of a comma.
_WRITE_VALUES = "write the value itself, as mysqldump does"
_MOMENTS = ("CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIME", "LOCALTIMESTAMP")


class ValueRefused(Exception):
    """A value is no constant. The text goes on after the value's name, and repeats nothing of the contents."""


def read_value(stream: TokenStream, *, has_quoted_names: bool) -> Literal:
    """Read one value and stop before the mark after it. ``has_quoted_names``: double quotes stand around names.

    Raises:
        ValueRefused: it is no constant. The stream then stands behind it as well.
        DumpBroken: the file ends.
    """
    try:
        return _whole_value(stream, has_quoted_names=has_quoted_names)
    except ValueRefused:
        _skip_value(stream)
        raise


def _whole_value(stream: TokenStream, *, has_quoted_names: bool) -> Literal:
    value = _constant(stream, has_quoted_names=has_quoted_names)
    _skip_type(stream)
    if not _is_over(stream):
        raise ValueRefused(f"is an expression; {_WRITE_VALUES}")
    return value


def _is_over(stream: TokenStream) -> bool:
    head = stream.head
    return stream.is_statement_over() or head.is_mark(",") or head.is_mark(")") or head.is_word(*_ENDS_ROW)


def _skip_value(stream: TokenStream) -> None:
    while not _is_over(stream):
        if stream.take().is_mark("("):
            _skip_to_bracket(stream)


def _skip_to_bracket(stream: TokenStream) -> None:
    """Skip up to and with the bracket that closes an open one."""
    depth = 1
    while depth and not stream.is_statement_over():
        token = stream.take()
        depth += token.is_mark("(") - token.is_mark(")")


def _skip_type(stream: TokenStream) -> None:
    if not stream.head.is_mark(":"):
        return
    while stream.head.is_mark(":") or stream.head.is_mark("(") or stream.head.kind in ("word", "quoted"):
        if stream.take().is_mark("("):  # ::varchar(4)
            _skip_to_bracket(stream)


def _constant(stream: TokenStream, *, has_quoted_names: bool) -> Literal:
    if _is_over(stream) and not stream.is_at_end():
        raise ValueRefused("is missing")
    if not stream.is_at_end() and stream.head.kind not in ("text", "quoted", "word"):
        raise ValueRefused(f"is neither a text nor a number nor NULL; {_WRITE_VALUES}")
    token = stream.take()
    if token.kind == "word":
        return _of_word(token, stream)
    if token.kind == "quoted" and has_quoted_names:
        raise ValueRefused("is in double quotes, which stand around names in this dump; write texts in single quotes")
    return token.value


def _of_word(token: Token, stream: TokenStream) -> Literal:
    word = token.value.upper()
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    if _NUMBER.fullmatch(word):
        return word.lower()
    if match := _HEX.fullmatch(token.value):
        return _bytes_of_hex(match[1].rjust(len(match[1]) + len(match[1]) % 2, "0"))
    if match := _BITS.fullmatch(token.value):
        return _bytes_of_bits(match[1])
    if word.startswith("_"):
        return _in_character_set(word, _constant(stream, has_quoted_names=False))
    if stream.head.kind == "text":
        return _prefixed(word, stream.take().value)
    raise ValueRefused(_reason(word, stream))


def _reason(word: str, stream: TokenStream) -> str:
    if word in _MOMENTS or stream.head.is_mark("("):
        return f"would have to be computed by a database; {_WRITE_VALUES}"
    if word == "DEFAULT":
        return f"is a default that only the other database knows; {_WRITE_VALUES}"
    return "is a word without quotes; write texts in single quotes"


def _prefixed(prefix: str, text: str) -> Literal:
    if prefix == "N" or prefix in _TEMPORAL:
        return text
    if prefix == "X":
        return _bytes_of_hex(text)
    if prefix == "B" and re.fullmatch("[01]*", text):
        return _bytes_of_bits(text)
    raise ValueRefused("is a text with a prefix that no import knows; write a plain text in single quotes")


def _in_character_set(name: str, value: Literal) -> Literal:
    """Return a value of the character set that MySQL names before it."""
    if value is not None and name == "_BINARY":
        return value.encode() if isinstance(value, str) else value
    try:
        if isinstance(value, bytes) and name in _UTF8:
            return value.decode()
    except UnicodeDecodeError as error:
        raise ValueRefused("is not UTF-8, although it says so") from error
    if isinstance(value, str) and (name in _UTF8 or value.isascii()):
        return value
    raise ValueRefused("is in a character set that no import knows; export with the character set utf8mb4")


def _bytes_of_hex(digits: str) -> bytes:
    if not re.fullmatch("(?:[0-9A-Fa-f]{2})*", digits):
        raise ValueRefused("is a hexadecimal value with wrong digits")
    return bytes.fromhex(digits)


def _bytes_of_bits(bits: str) -> bytes:
    return int(bits or "0", 2).to_bytes(-(-len(bits) // 8) or 1, "big")
