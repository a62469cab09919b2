"""Reads the rows of a dump's INSERTs. Nothing of a dump is ever executed, and code in it is skipped as a whole."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chassis.dumps.literals import Literal, ValueRefused, read_value
from chassis.dumps.token_stream import FormUnknown, TokenStream
from chassis.dumps.tokens import Dialect, DumpBroken, Token

_NOT_COLUMNS = (
    *("PRIMARY", "KEY", "UNIQUE", "INDEX", "FULLTEXT", "SPATIAL", "CONSTRAINT", "FOREIGN", "CHECK"),
    *("EXCLUDE", "LIKE", "PERIOD"),
)
_BETWEEN = ("INTO", "IGNORE", "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY")
_BEFORE_TABLE = ("OR", "REPLACE", "TEMPORARY", "TEMP", "UNLOGGED", "GLOBAL", "LOCAL")
_AFTER_ROWS = ("ON", "AS", "RETURNING")
_UNREADABLE_TABLE = "(a table without a readable name)"
_FORM = "this form of INSERT is unknown; export with INSERT INTO … VALUES, as mysqldump does"
# MySQL's modes that stand for others, ANSI_QUOTES among them.
_QUOTED_NAMES_MODES = ("ANSI", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL")

_CODE = ("TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE")
_OPENING = ("BEGIN", "CASE", "LOOP", "WHILE")
# These open a block only where a statement begins: IF() and REPEAT() are functions, and FOR stands in FOR EACH ROW.
_OPENING_STATEMENTS = ("IF", "REPEAT", "FOR")
_TRANSACTIONS = ("WORK", "TRANSACTION", "ISOLATION", "READ", "DEFERRED", "IMMEDIATE", "EXCLUSIVE")  # After BEGIN.
_BEFORE_STATEMENTS = ("BEGIN", "THEN", "ELSE", "DO", "LOOP", "REPEAT", "ROW", "ATOMIC", "DATA", "SQL", "DETERMINISTIC")


@dataclass(frozen=True, slots=True)
class DumpRow:
    """One row of an INSERT.

    Numbers are texts, bare or quoted; ``columns`` is None where the dump does not say. ``problem`` is a sentence about
    a row that cannot be read, whose values are worth nothing.
    """

    table: str
    columns: tuple[str, ...] | None
    values: tuple[Literal, ...]
    line: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Target:
    """Where the rows of an INSERT go."""

    table: str
    columns: tuple[str, ...] | None
    has_quoted_names: bool

    def name_of(self, index: int) -> str:
        """Name a value of a row."""
        return self.columns[index] if self.columns and index < len(self.columns) else f"value {index + 1}"


def read_rows(chunks: Iterable[str]) -> Iterator[DumpRow]:
    """Read the rows of a dump in its own order; everything but INSERT, REPLACE and CREATE TABLE is skipped.

    Raises:
        DumpBroken: the dump is cut off, or its rows are written with COPY.
    """
    stream = TokenStream(chunks)
    created: dict[str, tuple[str, ...]] = {}
    while not stream.is_at_end():
        token = stream.take()
        if token.kind == "end" or token.is_mark(";"):
            continue
        if token.is_word("INSERT", "REPLACE"):
            yield from _insert(token.line, stream, created)
        elif token.is_word("CREATE"):
            _create(token, stream, created)
        elif token.is_word("ALTER") and stream.head.is_word("EVENT", "DEFINER"):
            _skip_code(token, stream, is_code=True)
        elif token.is_word("SET", "PRAGMA"):
            _set(token, stream)
        elif _is_block(token, stream):
            _skip_code(token, stream, is_code=True)
        else:
            _skip_statement(token, stream)


def _skip_statement(first: Token, stream: TokenStream) -> None:
    previous = first
    while not stream.is_statement_over():
        token = stream.take()
        if first.is_word("COPY") and previous.is_word("FROM") and token.is_word("STDIN"):
            raise DumpBroken(f"line {first.line}: the rows are written with COPY; export them with pg_dump --inserts")
        previous = token


def _is_block(first: Token, stream: TokenStream) -> bool:
    """Say whether a statement is a block of code; MariaDB takes one without a name."""
    is_transaction = stream.is_statement_over() or stream.head.is_word(*_TRANSACTIONS)
    return stream.head.is_mark(":") or (first.is_word(*_OPENING, *_OPENING_STATEMENTS) and not is_transaction)


def _skip_code(first: Token, stream: TokenStream, *, is_code: bool = False) -> None:
    """Skip a CREATE with the body that it may have, or a block: to the delimiter, or else to the END of its BEGIN."""
    previous, depth, lost = first, int(first.is_word(*_OPENING, *_OPENING_STATEMENTS)), False
    while not stream.is_at_end():
        if stream.is_statement_over() and _ends_code(stream, depth=depth, is_code=is_code):
            return
        token = stream.take()
        is_code |= token.is_word(*_CODE)
        lost |= not depth and previous.is_mark(";") and token.is_word("INSERT")
        if token.is_word("END"):
            depth = max(depth - 1, 0)
            if stream.head.is_word(*_OPENING, *_OPENING_STATEMENTS):  # END IF
                token = stream.take()
        elif is_code and _opens_block(token, previous):
            depth += 1
        previous = token
    if lost or (depth and stream.dialect.delimiter == ";"):
        raise DumpBroken(
            f"the code that begins in line {first.line} has no end; the file is cut off, or has another end"
        )


def _ends_code(stream: TokenStream, *, depth: int, is_code: bool) -> bool:
    if not is_code:
        return True
    return stream.head.kind == "end" and (not depth or stream.dialect.delimiter != ";")


def _opens_block(token: Token, previous: Token) -> bool:
    if token.is_word(*_OPENING_STATEMENTS):
        return previous.kind == "end" or previous.value in (":", ")") or previous.is_word(*_BEFORE_STATEMENTS)
    return token.is_word(*_OPENING)


def _set(first: Token, stream: TokenStream) -> None:
    """Skip a SET, but obey those that change how texts are read."""
    dialect, tokens = stream.dialect, [first]
    while not stream.is_statement_over():
        tokens.append(stream.take())
    if first.is_word("PRAGMA"):  # SQLite.
        dialect.has_backslashes, dialect.has_quoted_names = False, True
    for index, (name, mark, value) in enumerate(zip(tokens, tokens[1:], tokens[2:], strict=False)):
        word, setting = name.value.upper(), value.value.upper()
        if word == "STANDARD_CONFORMING_STRINGS":  # PostgreSQL.
            dialect.has_backslashes, dialect.has_quoted_names = setting != "ON", True
        elif mark.is_mark("=") and setting == "@@SQL_MODE":
            dialect.saved_modes[word] = (dialect.has_backslashes, dialect.has_quoted_names)
        elif mark.is_mark("=") and setting in dialect.saved_modes:
            dialect.has_backslashes, dialect.has_quoted_names = dialect.saved_modes[setting]
        elif mark.is_mark("=") and word.rpartition(".")[2].removeprefix("@@") == "SQL_MODE":
            _set_mode(dialect, tokens[index + 2 :])


def _set_mode(dialect: Dialect, values: list[Token]) -> None:
    """Set MySQL's mode, whose names stand in texts with commas between them: ``CONCAT(@@sql_mode, ',ANSI_QUOTES')``."""
    texts = (value.value.upper() for value in values if value.kind in ("text", "quoted"))
    modes = [mode.strip() for mode in ",".join(texts).split(",")]
    dialect.has_backslashes = "NO_BACKSLASH_ESCAPES" not in modes
    dialect.has_quoted_names = any(mode.removesuffix("_QUOTES") in _QUOTED_NAMES_MODES for mode in modes)


def _create(first: Token, stream: TokenStream, created: dict[str, tuple[str, ...]]) -> None:
    while stream.head.is_word(*_BEFORE_TABLE):
        stream.take()
    if not stream.head.is_word("TABLE"):
        _skip_code(first, stream)
        return
    try:
        while stream.head.is_word("TABLE", "IF", "NOT", "EXISTS"):
            stream.take()
        table = stream.take_table().value
        created[table] = _created_columns(stream)
    except FormUnknown:  # CREATE TABLE … LIKE, … AS SELECT.
        pass
    _skip_statement(first, stream)


def _created_columns(stream: TokenStream) -> tuple[str, ...]:
    stream.expect_mark("(")
    columns, depth, is_start = [], 1, True
    while depth:
        token = stream.take()
        if is_start and not token.is_word(*_NOT_COLUMNS):
            columns.append(token.value)
        depth += token.is_mark("(") - token.is_mark(")")
        is_start = depth == 1 and token.is_mark(",")
    return tuple(columns)


def _insert(line: int, stream: TokenStream, created: dict[str, tuple[str, ...]]) -> Iterator[DumpRow]:
    table = _UNREADABLE_TABLE
    try:
        target = _read_target(stream, created)
        table = target.table
        yield from _rows_of_insert(target, stream)
    except FormUnknown:
        yield DumpRow(table, None, (), line, _FORM)
    while not stream.is_statement_over():
        stream.take()


def _rows_of_insert(target: _Target, stream: TokenStream) -> Iterator[DumpRow]:
    if stream.head.is_word("SET"):
        yield _set_row(target, stream)
    else:
        yield from _value_rows(target, stream)
    if not stream.is_statement_over() and not stream.head.is_word(*_AFTER_ROWS):
        raise FormUnknown


def _read_target(stream: TokenStream, created: dict[str, tuple[str, ...]]) -> _Target:
    while stream.head.is_word(*_BETWEEN):
        stream.take()
    names = [stream.take_table()]
    table = names[0].value
    columns = created.get(table)
    if stream.head.is_mark("("):
        names += _column_list(stream)
        columns = tuple(name.value for name in names[1:])
    while stream.head.is_word("OVERRIDING", "SYSTEM", "USER"):  # pg_dump: … OVERRIDING SYSTEM VALUE VALUES (…
        stream.take()
        if stream.head.is_word("VALUE"):
            stream.take()
    return _Target(table, columns, stream.dialect.has_quoted_names or "quoted" in {name.kind for name in names})


def _column_list(stream: TokenStream) -> list[Token]:
    stream.expect_mark("(")
    names = [stream.take_name()]
    while stream.head.is_mark(","):
        stream.take()
        names.append(stream.take_name())
    stream.expect_mark(")")
    return names


def _value_rows(target: _Target, stream: TokenStream) -> Iterator[DumpRow]:
    if not stream.is_at_end() and not stream.head.is_word("VALUES", "VALUE"):
        raise FormUnknown
    mark = stream.take()
    while mark.is_word("VALUES", "VALUE") or mark.is_mark(","):
        if stream.head.is_word("ROW"):
            stream.take()
        line = stream.head.line
        stream.expect_mark("(")
        row = _read_values(target, stream, line)
        stream.expect_mark(")")
        yield row
        if not stream.head.is_mark(","):
            return
        mark = stream.take()


def _set_row(target: _Target, stream: TokenStream) -> DumpRow:
    """Read ``SET a=1, b='x'`` as a row."""
    line, problem = stream.take().line, ""
    names: list[str] = []
    values: list[Literal] = []
    while True:
        names.append(stream.take_name().value)
        stream.expect_mark("=")
        row = _read_values(_Target(target.table, tuple(names[-1:]), target.has_quoted_names), stream, line, most=1)
        values += row.values
        problem = problem or row.problem
        if not stream.head.is_mark(","):
            return DumpRow(target.table, tuple(names), tuple(values), line, problem)
        stream.take()


def _read_values(target: _Target, stream: TokenStream, line: int, *, most: int | None = None) -> DumpRow:
    """Read values with commas between them."""
    values: list[Literal] = []
    problem = ""
    while True:
        try:
            values.append(read_value(stream, has_quoted_names=target.has_quoted_names))
        except ValueRefused as refused:
            problem = problem or f"{target.name_of(len(values))} {refused}"
            values.append(None)
        if not stream.head.is_mark(",") or len(values) == most:
            return DumpRow(target.table, target.columns, tuple(values), line, problem)
        stream.take()
