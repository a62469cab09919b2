import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import bindparam, create_engine, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.database import ConnectionBreaker, Database, UtcDateTime, checked_url, utc_now
from chassis.errors import DependencyUnavailable
from chassis.migrations import migrate


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@pytest.fixture
def database(empty_database_url: str) -> Iterator[Database]:
    engine = create_engine(empty_database_url)
    Base.metadata.create_all(engine)
    engine.dispose()
    database = Database(empty_database_url)
    yield database
    database.close()


def count_of(database: Database, note_id: int = 1) -> int | None:
    with database.read() as session:
        return session.scalar(select(Note.count).where(Note.id == note_id))


MOMENT = datetime(2026, 2, 3, 4, 5, 6, 123456, tzinfo=UTC)


@pytest.mark.parametrize("moment", [MOMENT, MOMENT.astimezone(timezone(timedelta(hours=8))), None])
def test_a_moment_comes_back_to_the_microsecond(database: Database, moment: datetime | None) -> None:
    with database.write() as session:
        session.add(Note(id=1, at=moment))
    with database.read() as session:
        found = session.scalar(select(Note.at))
        stored = session.scalar(text("SELECT CAST(at AS CHAR(26)) FROM note"))
    assert found == moment
    assert found is None or found.tzinfo is UTC
    assert stored == (None if moment is None else "2026-02-03 04:05:06.123456")


def test_a_moment_can_be_compared_in_a_query(database: Database) -> None:
    with database.write() as session:
        session.add(Note(id=1, at=MOMENT))
    with database.read() as session:
        later = MOMENT.astimezone(timezone(timedelta(hours=8))) + timedelta(microseconds=1)
        assert session.scalars(select(Note.id).where(Note.at < later)).all() == [1]
        assert session.scalars(select(Note.id).where(Note.at < MOMENT)).all() == []


def test_a_naive_moment_is_a_programming_error(database: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"), database.write() as session:
        session.add(Note(id=1, at=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_now_is_aware() -> None:
    assert utc_now().tzinfo is UTC


def test_a_use_case_commits_at_its_end(database: Database) -> None:
    with database.write() as session:
        session.add(Note(id=1, count=5))
    assert count_of(database) == 5


def test_any_exception_rolls_back(database: Database) -> None:
    def write_and_fail() -> None:
        with database.write() as session:
            session.add(Note(id=1))
            session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    assert count_of(database) is None


def test_reading_commits_nothing(database: Database) -> None:
    with database.read() as session:
        session.add(Note(id=1))
        session.flush()
    assert count_of(database) is None


def test_what_was_read_can_be_used_after_the_transaction(database: Database) -> None:
    with database.write() as session:
        session.add(note := Note(id=1, count=7))
    assert note.count == 7


def test_a_broken_rule_is_told_apart_from_a_database_that_is_away(database: Database) -> None:
    with database.write() as session:
        session.add(Note(id=1))
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(Note(id=1))


def test_errors_do_not_show_the_values(database: Database) -> None:
    with pytest.raises(IntegrityError) as raised, database.write() as session:
        session.execute(text("INSERT INTO note (id, count) VALUES (:id, NULL)"), {"id": 987654321})
    assert "parameters hidden" in str(raised.value)


def test_many_writers_that_read_first_lose_no_update(database: Database) -> None:
    with database.write() as session:
        session.add(Note(id=1))
    failures: list[Exception] = []

    def add_ten() -> None:
        try:
            for _ in range(10):
                with database.write() as session:
                    note = session.get_one(Note, 1, with_for_update=True)
                    note.count += 1
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=add_ten) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert count_of(database) == 40


def test_a_reader_does_not_stop_a_writer(database: Database) -> None:
    with database.read() as reading:
        reading.scalar(select(Note.count))
        with database.write() as session:
            session.add(Note(id=1))
    assert count_of(database) == 0


def test_reading_then_writing_in_one_use_case_works(database: Database) -> None:
    with database.write() as session:
        assert session.scalar(select(Note.count)) is None
        session.add(Note(id=1))
    assert count_of(database) == 0


def test_a_database_that_answers_is_up(database: Database) -> None:
    assert database.is_up()


def test_rows_are_read_with_the_values_of_a_query(database: Database) -> None:
    with database.write() as session:
        session.add_all([Note(id=1, count=5, at=MOMENT), Note(id=2, count=7)])
    notes = Note.__table__.c
    query = select(notes.id, notes.at).where(notes.count == bindparam("count"))
    assert [tuple(row) for row in database.read_rows(query, {"count": 5})] == [(1, MOMENT)]
    assert database.read_rows(query, {"count": 6}) == []


def test_rows_of_a_server_that_is_away_are_unavailable(free_port: Callable[[], int]) -> None:
    database = Database(f"mysql+pymysql://user:hunter2@127.0.0.1:{free_port()}/shop")
    with pytest.raises(DependencyUnavailable):
        database.read_rows(select(Note.id))
    database.close()


def test_a_database_locked_for_too_long_is_unavailable(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'locked.db'}"
    holder, waiter = Database(url), Database(url, lock_seconds=0.1)
    with holder.write() as session:
        session.execute(text("CREATE TABLE a (b INTEGER)"))
        with pytest.raises(DependencyUnavailable), waiter.write() as waiting:
            waiting.execute(text("SELECT 1"))
    holder.close()
    waiter.close()


@pytest.mark.parametrize("driver", ["mysql+pymysql", "postgresql+psycopg"])
def test_a_server_that_is_away_is_unavailable(driver: str, free_port: Callable[[], int]) -> None:
    database = Database(f"{driver}://user:hunter2@127.0.0.1:{free_port()}/shop")
    begun = time.monotonic()
    with pytest.raises(DependencyUnavailable) as raised:
        database.is_up()
    assert "hunter2" not in raised.value.detail
    assert time.monotonic() - begun < 5
    database.close()


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("driver", ["mysql+pymysql", "postgresql+psycopg"])
def test_a_silent_server_costs_the_first_caller_two_seconds_and_the_others_nothing(
    driver: str, silent_port: int, clock: Clock
) -> None:
    database = Database(f"{driver}://user:hunter2@127.0.0.1:{silent_port}/shop", clock=clock)
    seconds = []
    for moment in (0.0, 0.0, 0.9, 1.1):
        clock.now, begun = 100.0 + moment, time.monotonic()
        with pytest.raises(DependencyUnavailable):
            database.is_up()
        seconds.append(time.monotonic() - begun)
    first, second, third, probing = seconds
    assert 1.5 < first < 8
    assert max(second, third) < 1
    assert 1.5 < probing < 8
    database.close()


class Relay:
    """Forwards one port to a server, until it is told to stay silent."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._is_open = threading.Event()
        self._is_open.set()
        self._sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port = self._sockets[0].getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def set_silent(self, *, is_silent: bool) -> None:
        (self._is_open.clear if is_silent else self._is_open.set)()

    def close(self) -> None:
        self._is_open.set()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._sockets[0].accept()
                upstream = socket.create_connection(self._server)
                self._sockets += [client, upstream]
                for pair in ((client, upstream), (upstream, client)):
                    threading.Thread(target=self._forward, args=pair, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(65536):
                self._is_open.wait()
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def relay(empty_database_url: str) -> Iterator[Relay]:
    url = make_url(empty_database_url)
    relay = Relay(url.host or "", url.port or 0)
    yield relay
    relay.close()


def seconds_of(ask: Callable[[], object]) -> float:
    begun = time.monotonic()
    with pytest.raises(DependencyUnavailable):
        ask()
    return time.monotonic() - begun


@pytest.mark.database_server
def test_a_server_that_falls_silent_costs_two_seconds_once_and_is_back_within_two(
    empty_database_url: str, relay: Relay
) -> None:
    url = make_url(empty_database_url).set(host="127.0.0.1", port=relay.port)
    database = Database(url.render_as_string(hide_password=False))
    assert database.is_up()
    relay.set_silent(is_silent=True)
    first, *others = (seconds_of(database.is_up) for _ in range(4))
    assert 1.5 < first < 3
    assert max(others) < 0.2
    relay.set_silent(is_silent=False)
    end = time.monotonic() + 2
    while True:
        try:
            assert database.is_up()
            break
        except DependencyUnavailable:
            assert time.monotonic() < end
            time.sleep(0.05)
    database.close()


@pytest.mark.database_server
def test_a_statement_without_an_answer_ends_after_two_seconds(empty_database_url: str, relay: Relay) -> None:
    url = make_url(empty_database_url).set(host="127.0.0.1", port=relay.port)
    database = Database(url.render_as_string(hide_password=False))

    def ask() -> None:
        with database.read() as session:
            session.scalar(text("SELECT 1"))
            relay.set_silent(is_silent=True)
            session.scalar(text("SELECT 2"))

    assert 1.5 < seconds_of(ask) < 8
    relay.set_silent(is_silent=False)
    with database.read() as session:
        assert session.scalar(text("SELECT 3")) == 3  # Not the answer to another statement.
    database.close()


@pytest.mark.database_server
def test_a_statement_of_an_import_may_take_longer(dialect: str, empty_database_url: str) -> None:
    database = Database(empty_database_url, answer_seconds=60)
    wait = "SELECT pg_sleep(2.5)" if dialect == "postgresql" else "SELECT SLEEP(2.5)"
    with database.read() as session:
        session.execute(text(wait))
        assert session.scalar(text("SELECT 3")) == 3
    database.close()


def test_after_a_failure_one_caller_a_second_tries_to_connect(clock: Clock) -> None:
    breaker, tried = ConnectionBreaker(clock=clock), []

    def fail() -> None:
        tried.append(clock.now)
        raise OSError

    for moment in (0.0, 0.5, 0.9, 1.0, 1.5, 2.0):
        clock.now = 100.0 + moment
        with pytest.raises((OSError, DependencyUnavailable)):
            breaker.connect(fail)
    assert tried == [100.0, 101.0, 102.0]


def test_nobody_waits_beside_the_caller_who_tries(clock: Clock) -> None:
    breaker = ConnectionBreaker(clock=clock)
    breaker.open()
    clock.now += 1

    def refuse_the_next() -> str:
        with pytest.raises(DependencyUnavailable):
            breaker.connect(lambda: "too early")
        return "connected"

    assert breaker.connect(refuse_the_next) == "connected"


def test_a_connection_that_succeeds_lets_everybody_connect_again(clock: Clock) -> None:
    breaker = ConnectionBreaker(clock=clock)
    breaker.open()
    with pytest.raises(DependencyUnavailable):
        breaker.connect(lambda: 1)
    clock.now += 1
    assert [breaker.connect(lambda number=number: number) for number in range(3)] == [0, 1, 2]


def test_while_all_is_well_many_connect_at_once(clock: Clock) -> None:
    breaker = ConnectionBreaker(clock=clock)
    assert breaker.connect(lambda: breaker.connect(lambda: "inner")) == "inner"


@pytest.mark.parametrize(
    "url", ["sqlite:///a.db", "mysql+pymysql://u:p@h/d?charset=utf8mb4", "postgresql+psycopg://u:p@h:5432/d"]
)
def test_our_drivers_are_taken(url: str) -> None:
    assert checked_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:hunter2@h/d",
        "mariadb://u:hunter2@h/d",
        "postgresql://u:hunter2@h/d",
        "postgresql+psycopg2://u:hunter2@h/d",
        "mysql+pymysql://u:a@b:hunter2/d",
        "hunter2",
        "",
    ],
)
def test_other_addresses_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(ValueError, match="address") as raised:
        checked_url(url)
    assert "hunter2" not in str(raised.value)


ENV = """
from chassis.migrations import run_migrations
from sqlalchemy import MetaData

run_migrations(MetaData())
"""
STEP = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = {revision!r}, {down!r}

def upgrade():
    {up}

def downgrade():
    {undo}
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[str]:
    """A package of migrations: a table, then a column that SQLite cannot add without a copy."""
    folder = tmp_path / "shop_of_the_tests" / "migrations"
    (folder / "versions").mkdir(parents=True)
    for package in (folder.parent, folder):
        (package / "__init__.py").touch()
    (folder / "env.py").write_text(ENV)
    table = 'op.create_table("thing", sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.Integer))'
    child = 'op.execute("CREATE TABLE child (thing_id INTEGER REFERENCES thing (id) ON DELETE CASCADE)")'
    batch = (
        'with op.batch_alter_table("thing") as thing: thing.alter_column("a", nullable={}, existing_type=sa.Integer)'
    )
    first = STEP.format(
        revision="0001", down=None, up=f"{table}; {child}", undo='op.drop_table("child"); op.drop_table("thing")'
    )
    second = STEP.format(revision="0002", down="0001", up=batch.format(False), undo=batch.format(True))
    (folder / "versions" / "0001_thing.py").write_text(first)
    (folder / "versions" / "0002_a.py").write_text(second)
    sys.path.insert(0, str(tmp_path))
    yield "shop_of_the_tests:migrations"
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("shop_of_the_tests")]:
        del sys.modules[name]


@pytest.fixture
def columns(empty_database_url: str) -> Callable[[], dict[str, bool]]:
    def look() -> dict[str, bool]:
        engine = create_engine(empty_database_url)
        names = inspect(engine).get_table_names()
        found = {c["name"]: c["nullable"] for c in inspect(engine).get_columns("thing")} if "thing" in names else {}
        engine.dispose()
        return found

    return look


def test_migrations_go_up_by_steps_and_down_to_nothing(
    empty_database_url: str, scripts: str, columns: Callable[[], dict[str, bool]]
) -> None:
    migrate(empty_database_url, scripts=scripts, revision="0001")
    assert columns() == {"id": False, "a": True}
    migrate(empty_database_url, scripts=scripts)
    migrate(empty_database_url, scripts=scripts)
    assert columns() == {"id": False, "a": False}
    migrate(empty_database_url, scripts=scripts, revision="base")
    assert columns() == {}


def test_a_migration_that_copies_a_table_keeps_what_refers_to_it(empty_database_url: str, scripts: str) -> None:
    migrate(empty_database_url, scripts=scripts, revision="0001")
    database = Database(empty_database_url)
    with database.write() as session:
        session.execute(text("INSERT INTO thing (id, a) VALUES (1, 1)"))
        session.execute(text("INSERT INTO child (thing_id) VALUES (1)"))
    migrate(empty_database_url, scripts=scripts)
    with database.read() as session:
        assert session.scalar(text("SELECT thing_id FROM child")) == 1
    database.close()
