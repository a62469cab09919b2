"""Fixtures of every suite: a real Redis, empty databases, internal tokens, the checked-in OpenAPI documents."""

import json
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import create_engine, make_url, text
from xdist.scheduler import LoadScopeScheduling

import gateway  # noqa: F401 - before pytest takes the folder of that name for the package.
from chassis.identity import GATEWAY, INTERNAL_TOKEN_HEADER, Caller, InternalTokens
from local.redis_server import RedisServer

ROOT = Path(__file__).parent
# Journeys whose long waits run beside the other journeys.
SYSTEMS_OF_THEIR_OWN = ("test_scaling.py",)
INTERNAL_TOKEN_KEY = "a key of the tests, never used elsewhere"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-openapi", action="store_true", help="write the services' openapi.json anew")


class SystemScheduling(LoadScopeScheduling):
    """Gives all tests of one running system to one process, and every other test to the next free process.

    The groups of `--dist loadgroup` cannot do this: pytest-xdist 3.8 writes them where pytest 9.2 does not read.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = Path(nodeid.partition("::")[0])
        if path.parts[0] != "tests-e2e":
            return nodeid
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


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("mariadb", marks=pytest.mark.outside),
        pytest.param("postgresql", marks=pytest.mark.outside),
    ]
)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database: SQLite always, the others on the servers that TEST_…_URL name."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    server = make_url(os.environ[f"TEST_{request.param.upper()}_URL"])
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))
    engine.dispose()


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
        return {INTERNAL_TOKEN_HEADER: internal_tokens.write(Caller(service, **user), audience=audience)}

    return headers


@pytest.fixture
def check_openapi(request: pytest.FixtureRequest) -> Callable[[str, dict[str, Any]], None]:
    """Compare a service's generated document with the checked-in one, or write it anew with --write-openapi."""

    def check(folder: str, document: dict[str, Any]) -> None:
        path = ROOT / folder / "openapi.json"
        if request.config.getoption("--write-openapi"):
            path.write_text(json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
        assert json.loads(path.read_text()) == document, "run: make openapi"

    return check
