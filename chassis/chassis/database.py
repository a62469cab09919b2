"""A database by its address: SQLite, MariaDB or PostgreSQL, with one transaction per use case."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, SecretStr
from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    Engine,
    Select,
    TextClause,
    TypeDecorator,
    create_engine,
    event,
    exc,
    text,
)
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.engine import ExceptionContext, Row, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from chassis.errors import DependencyUnavailable

DRIVERS = ("sqlite", "mysql+pymysql", "postgresql+psycopg")
_LOCK_SECONDS = 5  # SQLite waits so long for another writer.
_SERVER_SECONDS = 2  # For a connection, an answer, and a place in the pool.
_MIGRATION_SECONDS = 3600  # A statement of a migration may rewrite a large table.


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime with microseconds, stored without a zone, as the classic tables do."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> object:  # type: ignore[override]
        """Ask MariaDB for microseconds, which its plain DATETIME drops."""
        return dialect.type_descriptor(DATETIME(fsp=6) if dialect.name in ("mysql", "mariadb") else DateTime())

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Store UTC; a naive datetime is a programming error."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a datetime without a zone")
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Give back an aware datetime."""
        return value.replace(tzinfo=UTC) if value else None


def utc_now() -> datetime:
    """Return the present moment, aware."""
    return datetime.now(UTC)


def checked_url(url: str) -> str:
    """Return a database address if we ship its driver.

    Raises:
        ValueError: not an address, or another driver. (A bare ``mysql://`` or ``postgresql://`` means drivers that we
            do not ship.) The text never repeats the address, which may hold a password.
    """
    try:
        driver = make_url(url).drivername
    except (exc.ArgumentError, ValueError):
        raise ValueError("this is not the address of a database") from None
    if driver not in DRIVERS:
        raise ValueError(f"the address must begin with one of {', '.join(name + '://' for name in DRIVERS)}")
    return url


def _check_secret_url(url: SecretStr) -> SecretStr:
    checked_url(url.get_secret_value())
    return url


DatabaseUrl = Annotated[SecretStr, AfterValidator(_check_secret_url)]
"""The type of a setting that holds a database address; the address may hold a password."""


class ConnectionBreaker:
    """A circuit breaker around connecting to one server, for one process.

    After a failure, connecting is refused at once; every ``retry_seconds`` one caller tries again. Connections that
    exist are not touched: a server with too many clients still answers those that it has.
    """

    def __init__(self, *, retry_seconds: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._is_open = False
        self._retry_at = 0.0

    def connect(self, connect: Callable[[], Any]) -> Any:  # Any: the connections of drivers have no common type.
        """Return a new connection.

        Raises:
            DependencyUnavailable: another caller failed a moment ago, or is trying just now.
        """
        with self._lock:
            if self._is_open and self._clock() < self._retry_at:
                raise DependencyUnavailable("The database is away.")
            self._retry_at = self._clock() + self._retry_seconds
        try:
            connection = connect()
        except BaseException:
            self.open()
            raise
        self._is_open = False
        return connection

    def open(self) -> None:
        """Refuse connecting from now on, for ``retry_seconds``."""
        with self._lock:
            self._is_open, self._retry_at = True, self._clock() + self._retry_seconds


class Database:
    """Sessions on one database. Make it after a fork; threads may share it.

    A server that is away costs the first caller two seconds and the others nothing (`ConnectionBreaker`). A statement
    may take ``answer_seconds``; an import, whose statements write hundreds of rows, needs more than a request.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        lock_seconds: float = _LOCK_SECONDS,
        answer_seconds: int = _SERVER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = _engine(url, pool_size=pool_size, lock_seconds=lock_seconds, answer_seconds=answer_seconds)
        if self._engine.dialect.name != "sqlite":
            _install_breaker(self._engine, ConnectionBreaker(clock=clock))
        self._writing = self._engine.execution_options(sqlite_begin="IMMEDIATE")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that only reads; nothing is committed.

        Raises:
            DependencyUnavailable: the database is away or locked for too long.
        """
        with _our_errors(), Session(self._engine, expire_on_commit=False) as session:
            yield session

    @property
    def kind(self) -> str:
        """The kind of the database: ``sqlite``, ``mysql`` (MariaDB, too) or ``postgresql``."""
        return self._engine.dialect.name

    def read_rows(
        self, query: Select[*tuple[Any, ...]] | TextClause, values: dict[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        """Run one query of plain columns, and return all its rows; a session would cost as much once more.

        Raises:
            DependencyUnavailable: as in `read`.
        """
        with _our_errors(), self._engine.connect() as connection:
            return connection.execute(query, values).all()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open the one transaction of a use case; it commits at the end and rolls back on any exception.

        On SQLite it takes the write lock at once, because a transaction that reads first and writes later fails there.

        Raises:
            DependencyUnavailable: as in `read`.
        """
        with _our_errors(), Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def is_up(self) -> bool:
        """Say whether the database answers."""
        with self.read() as session:
            return bool(session.scalar(text("SELECT 1")) == 1)

    def close(self) -> None:
        """Close the pool."""
        self._engine.dispose()


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except (exc.OperationalError, exc.TimeoutError, sqlite3.OperationalError) as error:
        raise DependencyUnavailable("The database is away.") from error
    except exc.DBAPIError as error:
        if error.connection_invalidated:
            raise DependencyUnavailable("The database is away.") from error
        raise


def _engine(
    url: str,
    *,
    pool_size: int,
    lock_seconds: float = _LOCK_SECONDS,
    answer_seconds: int = _SERVER_SECONDS,
    migrating: bool = False,
) -> Engine:
    kind = make_url(checked_url(url)).get_backend_name()
    if kind == "sqlite":
        engine = create_engine(url, connect_args={"timeout": lock_seconds}, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        if migrating:
            event.listen(engine, "connect", _ignore_foreign_keys)
        return engine
    statement_seconds = _MIGRATION_SECONDS if migrating else answer_seconds
    arguments: dict[str, object] = {"connect_timeout": _SERVER_SECONDS}
    if kind == "mysql":
        arguments |= {"read_timeout": statement_seconds, "write_timeout": statement_seconds, "charset": "utf8mb4"}
    else:
        arguments["options"] = f"-c statement_timeout={statement_seconds}s"
    pool = {"pool_size": pool_size, "max_overflow": 4, "pool_timeout": _SERVER_SECONDS, "pool_recycle": 1800}
    # PostgreSQL's default, so that both behave alike: MariaDB's own locks the gaps between rows, and deadlocks on them.
    isolation = "READ COMMITTED"
    engine = create_engine(
        url, isolation_level=isolation, pool_pre_ping=True, connect_args=arguments, hide_parameters=True, **pool
    )
    if kind == "postgresql" and not migrating:
        event.listen(engine, "connect", partial(_bound_waiting, seconds=answer_seconds))
    return engine


def _install_breaker(engine: Engine, breaker: ConnectionBreaker) -> None:
    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, _entry: object, positional: Any, named: Any) -> object:
        return breaker.connect(lambda: dialect.connect(*positional, **named))

    @event.listens_for(engine, "handle_error")
    def note_error(failure: ExceptionContext) -> None:
        if failure.is_pre_ping and _is_time_out(failure.original_exception):
            breaker.open()  # A server that does not answer a ping accepts no connection either: do not wait twice.


def _is_time_out(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, TimeoutError):
        error = error.__cause__ or error.__context__
    return error is not None


def _bound_waiting(connection: Any, _entry: ConnectionPoolEntry, *, seconds: int) -> None:
    # psycopg has no setting for a server that stays silent, but its `wait` takes a time-out (3.3).
    wait = connection.wait

    def wait_within(*arguments: Any) -> Any:
        try:
            return wait(*arguments, timeout=seconds)
        except connection.OperationalError as error:
            if connection.info.transaction_status.name != "ACTIVE":
                raise  # The server answered.
            connection.close()  # The answer may still come, so nobody may use this connection again.
            raise connection.OperationalError("the server does not answer") from TimeoutError(str(error))

    connection.wait = wait_within


def migration_engine(url: str) -> Engine:
    """Connect for a migration: one writer, and statements that may take an hour."""
    return _engine(url, pool_size=1, migrating=True).execution_options(sqlite_begin="IMMEDIATE")


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # `_begin_sqlite` begins transactions.
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _ignore_foreign_keys(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # Alembic changes a table by a copy; dropping the old one would delete the rows that refer to it.
    connection.cursor().execute("PRAGMA foreign_keys=OFF")


def _begin_sqlite(connection: Connection) -> None:
    # By the driver: as a statement of SQLAlchemy it takes as long as a SELECT of one row.
    driver: Any = connection.connection.dbapi_connection
    driver.execute(f"BEGIN {connection.get_execution_options().get('sqlite_begin', 'DEFERRED')}")
