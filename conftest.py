"""Fixtures of every suite: a real Redis, empty databases, internal tokens, the checked-in OpenAPI documents."""

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from redis import Redis
from sqlalchemy import Engine, create_engine, inspect, make_url, text
from xdist.scheduler import LoadScopeScheduling

import gateway  # noqa: F401 - before pytest takes the folder of that name for the package.
from chassis.identity import GATEWAY, INTERNAL_TOKEN_HEADER, Caller, InternalTokens
from chassis.migrations import migrate
from local.redis_server import RedisServer

ROOT = Path(__file__).parent
# How long an example takes says nothing on a busy machine.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")
# Journeys whose long waits run beside the other journeys.
SYSTEMS_OF_THEIR_OWN = ("test_scaling.py", "test_upstreams.py")
# Their tests share services with settings of the module, which each process would start for itself.
SERVICES_OF_THEIR_OWN = frozenset(
    f"test_{name}.py" for name in ("cors", "foreign_services", "forward_auth", "hostile_services", "telemetry")
)
INTERNAL_TOKEN_KEY = "a key of the tests, never used elsewhere"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-openapi", action="store_true", help="write openapi.json and routes.schema.json anew")


class SystemScheduling(LoadScopeScheduling):
    """Gives all tests of one running system to one process, and every other test to the next free process.

    There is one RabbitMQ, which the faults freeze, kill and fill. On the compose stack a browser and the other clients
    run side by side.

    The groups of `--dist loadgroup` cannot do this: pytest-xdist 3.8 writes them where pytest 9.2 does not read.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = Path(nodeid.partition("::")[0])
        if "rabbitmq" in nodeid or ("faults" in path.parts and "stream" not in nodeid):
            return "the broker"
        if path.name == "test_gunicorn.py":  # Its tests share the services that they change nothing of.
            return f"{path.name} {nodeid.partition('[')[2] if '-service]' in nodeid else 'gateway]'}"
        if path.name in SERVICES_OF_THEIR_OWN:
            return path.name
        if path.parts[0] != "tests-e2e" or "faults" in path.parts:
            return nodeid
        if "E2E_URL" in os.environ:
            return "the browser" if path.name == "test_browser.py" else "the clients"
        return path.parts[1] if len(path.parts) > 2 or path.name in SYSTEMS_OF_THEIR_OWN else "the journeys"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Schedule by running systems."""
    return SystemScheduling(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI in which anything was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The address of a real Redis that this test process has for itself."""
    with tempfile.TemporaryDirectory(prefix="xj") as folder:
        server = RedisServer(Path(folder), Path(folder) / "redis.sock")
        server.start()
        yield server.url
        server.stop()


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A client of an empty Redis."""
    with Redis.from_url(redis_url, decode_responses=True) as client:
        client.flushall()
        yield client


class Databases:
    """Databases for one test at a time: empty ones, and migrated ones that are migrated once per process.

    A SQLite file is copied. On a server the tables of one database are emptied before each test, which is much faster
    than making them anew; so migrations must not write rows that a service needs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ends = ExitStack()
        self._files: dict[str, Path] = {}
        self._servers: dict[tuple[str, str], tuple[Engine, list[str]]] = {}

    def close(self) -> None:
        """Drop what was made on the servers; on PostgreSQL this fails if a test left a connection open."""
        self._ends.close()

    @contextmanager
    def empty(self, dialect: str) -> Iterator[str]:
        """Make a database on a server that TEST_…_URL names, and drop it again."""
        server = make_url(os.environ[f"TEST_{dialect.upper()}_URL"])
        name = f"test_{uuid.uuid4().hex}"
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield server.set(database=name).render_as_string(hide_password=False)
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))
        engine.dispose()

    def copy_migrated(self, scripts: str, path: Path) -> None:
        """Put a migrated SQLite database at a path."""
        if scripts not in self._files:
            made = self._folder / f"{len(self._files)}.db"
            migrate(f"sqlite:///{made}", scripts=scripts)
            self._files[scripts] = made
        shutil.copyfile(self._files[scripts], path)

    def migrated(self, dialect: str, scripts: str) -> str:
        """Return the address of a migrated database without a row on a server."""
        if (dialect, scripts) not in self._servers:
            url = self._ends.enter_context(self.empty(dialect))
            migrate(url, scripts=scripts)
            engine = create_engine(url, isolation_level="AUTOCOMMIT")
            self._ends.callback(engine.dispose)
            tables = [name for name in inspect(engine).get_table_names() if name != "alembic_version"]
            self._servers[dialect, scripts] = engine, tables
        engine, tables = self._servers[dialect, scripts]
        _empty_tables(engine, tables)
        return engine.url.render_as_string(hide_password=False)


def _empty_tables(engine: Engine, tables: list[str]) -> None:
    """Delete all rows, and let numbers begin at 1 again."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE"))
            return
        connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
        for table in tables:
            connection.execute(text(f"TRUNCATE {table}"))
        connection.execute(text("SET FOREIGN_KEY_CHECKS = 1"))


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """What makes the databases of this test process."""
    databases = Databases(tmp_path_factory.mktemp("databases"))
    yield databases
    databases.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what uses a database on SQLite and on both servers, or on SQLite alone (see the markers)."""
    if "dialect" in metafunc.fixturenames:
        servers = [pytest.param(name, marks=pytest.mark.outside) for name in ("mariadb", "postgresql")]
        marks = (mark.name for mark in metafunc.definition.iter_markers())  # The closest first.
        dialects = {
            "any_database": ["sqlite"],
            "database_server": servers,
            "every_database": ["sqlite", *servers],
        }
        nearest = next((name for name in marks if name in dialects), "every_database")
        metafunc.parametrize("dialect", dialects[nearest], indirect=True)


@pytest.fixture
def dialect(request: pytest.FixtureRequest) -> str:
    """The kind of the test's database."""
    return str(request.param)


@pytest.fixture
def empty_database_url(dialect: str, tmp_path: Path, databases: Databases) -> Iterator[str]:
    """The address of a database without any table."""
    if dialect == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with databases.empty(dialect) as url:
        yield url


@pytest.fixture
def migrated_database_url(dialect: str, tmp_path: Path, databases: Databases) -> Callable[[str], str]:
    """Give the address of a database whose tables are empty, by the package folder of the migrations."""

    def url(scripts: str) -> str:
        if dialect != "sqlite":
            return databases.migrated(dialect, scripts)
        databases.copy_migrated(scripts, tmp_path / "test.db")
        return f"sqlite:///{tmp_path / 'test.db'}"

    return url


@pytest.fixture
def internal_token_key() -> str:
    """The key that all services of a test share."""
    return INTERNAL_TOKEN_KEY


@pytest.fixture
def internal_tokens() -> InternalTokens:
    """What writes the internal tokens of the tests."""
    return InternalTokens(INTERNAL_TOKEN_KEY)


@pytest.fixture
def called_by(internal_tokens: InternalTokens) -> Callable[..., dict[str, str]]:
    """Headers of a caller: ``called_by("news-service", user_id=1)``, ``called_by("sms-service", "user-service")``."""

    def headers(audience: str, service: str = GATEWAY, **user: Any) -> dict[str, str]:
        if user.get("user_id") is not None:
            user = {"session_id": "a-session", "auth_time": 1_700_000_000, **user}
        return {INTERNAL_TOKEN_HEADER: internal_tokens.write_token(Caller(service, **user), audience=audience)}

    return headers


@pytest.fixture
def check_openapi(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Compare a generated document with the checked-in one, or write it anew with --write-openapi."""

    def check(folder: str, document: dict[str, Any], name: str = "openapi.json") -> None:
        path = ROOT / folder / name
        if request.config.getoption("--write-openapi"):
            path.write_text(json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
        assert json.loads(path.read_text()) == document, "run: make openapi"

    return check
