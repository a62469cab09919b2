"""Reads the rows of a dump's INSERTs. Nothing of a dump is ever executed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chassis.dumps.mysql_dump import DumpBroken, Token, read_tokens

_NOT_COLUMNS = ("PRIMARY", "KEY", "UNIQUE", "INDEX", "FULLTEXT", "SPATIAL", "CONSTRAINT", "FOREIGN", "CHECK")
_BETWEEN = ("INTO", "IGNORE", "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY")
_CONSTANTS = {"NULL": None, "TRUE": "1", "FALSE": "0"}


@dataclass(frozen=True, slots=True)
class DumpRow:
    """One row of an INSERT. Numbers are texts, bare or quoted; ``columns`` is None where the dump does not say."""

    table: str
    columns: tuple[str, ...] | None
    values: tuple[str | None, ...]
    line: int


class TokenStream:
    """The tokens of a dump one after the other; ``head`` is the next one.

    Every method raises `DumpBroken` if the file ends, or if another token comes than expected.
    """

    def __init__(self, source: Iterator[Token]) -> None:
        self._source = source
        self._end = Token("end", "", 0)
        self.head = next(source, self._end)

    def is_at_end(self) -> bool:
        """Say whether all tokens are taken."""
        return self.head is self._end

    def take(self) -> Token:
        """Take the next token."""
        if self.is_at_end():
            raise DumpBroken("the file ends inside a statement; it is cut off")
        token, self.head = self.head, next(self._source, self._end)
        return token

    def take_mark(self, mark: str) -> None:
        """Take the next token, which must be this mark."""
        token = self.take()
        if not token.is_mark(mark):
            raise DumpBroken(f"line {token.line}: expected {mark} in a statement")

    def take_name(self) -> str:
        """Take a name, quoted or bare."""
        token = self.take()
        if token.kind not in ("name", "word"):
            raise DumpBroken(f"line {token.line}: expected a name")
        return token.value.rpartition(".")[2] if token.kind == "word" else token.value

    def take_table(self) -> str:
        """Take a table's name, without its schema, in lower case."""
        name = self.take_name()
        # The dot of schema.table belongs to a bare word, or is one: `schema`.`table`, schema.`table`, `schema`.table.
        while not name or (self.head.kind == "word" and self.head.value.startswith(".")):
            name = self.take_name()
        return name.lower()

    def skip_statement(self) -> None:
        """Skip everything up to the end of the statement."""
        while not self.is_at_end() and not self.take().is_mark(";"):
            pass


def read_rows(chunks: Iterable[str]) -> Iterator[DumpRow]:
    """Read the rows of a dump in its own order; everything but INSERT, REPLACE and CREATE TABLE is skipped.

    Raises:
        DumpBroken: the dump is cut off, or an INSERT has another form than ``VALUES`` with literals.
    """
    stream = TokenStream(read_tokens(chunks))
    created: dict[str, tuple[str, ...]] = {}
    while not stream.is_at_end():
        token = stream.take()
        if token.is_word("INSERT", "REPLACE"):
            yield from _insert(stream, created)
        elif token.is_word("CREATE") and stream.head.is_word("TABLE"):
            _create(stream, created)
        elif not token.is_mark(";"):
            stream.skip_statement()


def _create(stream: TokenStream, created: dict[str, tuple[str, ...]]) -> None:
    while stream.head.is_word("TABLE", "IF", "NOT", "EXISTS"):
        stream.take()
    table = stream.take_table()
    stream.take_mark("(")
    columns, depth, is_start = [], 1, True
    while depth:
        token = stream.take()
        if is_start and (token.kind == "name" or not token.is_word(*_NOT_COLUMNS)):
            columns.append(token.value)
        depth += token.is_mark("(") - token.is_mark(")")
        is_start = depth == 1 and token.is_mark(",")
    created[table] = tuple(columns)
    stream.skip_statement()


def _insert(stream: TokenStream, created: dict[str, tuple[str, ...]]) -> Iterator[DumpRow]:
    while stream.head.is_word(*_BETWEEN):
        stream.take()
    table = stream.take_table()
    columns = _column_list(stream) if stream.head.is_mark("(") else created.get(table)
    token = stream.take()
    if not token.is_word("VALUES", "VALUE"):
        raise DumpBroken(f"line {token.line}: expected VALUES")
    while True:
        line = stream.head.line
        yield DumpRow(table, columns, _values(stream), line)
        if not stream.head.is_mark(","):
            break
        stream.take()
    if not stream.is_at_end() and not stream.head.is_word("ON") and not stream.head.is_mark(";"):
        raise DumpBroken(f"line {stream.head.line}: an INSERT goes on in an unknown manner")
    stream.skip_statement()


def _column_list(stream: TokenStream) -> tuple[str, ...]:
    stream.take_mark("(")
    names = [stream.take_name()]
    while stream.head.is_mark(","):
        stream.take()
        names.append(stream.take_name())
    stream.take_mark(")")
    return tuple(names)


def _values(stream: TokenStream) -> tuple[str | None, ...]:
    stream.take_mark("(")
    values = [_literal(stream)]
    while stream.head.is_mark(","):
        stream.take()
        values.append(_literal(stream))
    stream.take_mark(")")
    return tuple(values)


def _literal(stream: TokenStream) -> str | None:
    token = stream.take()
    if token.kind == "word" and token.value.startswith("_"):  # A character set before a text: _utf8mb4'…'.
        token = stream.take()
    if token.kind == "word":
        return _CONSTANTS.get(token.value.upper(), token.value)
    if token.kind != "text":
        raise DumpBroken(f"line {token.line}: a value that is neither a text nor a number")
    return token.value
