"""Fixtures of the news service: a migrated database, the app, a stand-in for user-service."""

import contextlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
import svcs
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import Engine, event

from chassis.database import Database
from chassis.dumps.files import examine_file
from chassis.dumps.importing import ANSWER_SECONDS, ImportOptions
from chassis.dumps.report import ImportReport
from chassis.identity import InternalTokens
from chassis.service_client import ServiceClient
from news_service.app import create_app
from news_service.articles.articles import Articles
from news_service.articles.tables import APPROVED, InfoCategory, InfoNews
from news_service.comments.tables import ReviewPolicy
from news_service.imports.authors import ask_user_service
from news_service.imports.importing import NO_PICTURES, import_files
from news_service.imports.pictures import Pictures
from news_service.settings import Settings

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CATEGORIES = ("最新", "股市", "债市", "商品", "外汇", "公司")


@pytest.fixture
def now() -> datetime:
    """The moment at which the tests of one part take place; the app itself has the real clock."""
    return NOW


@pytest.fixture
def database_url(migrated_database_url: Callable[[str], str]) -> str:
    """The address of a migrated database."""
    return migrated_database_url("news_service:migrations")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def articles(database: Database) -> Articles:
    """The articles as they are to be read at `NOW`."""
    return Articles(database, clock=lambda: NOW)


@pytest.fixture
def categories(database: Database) -> None:
    """The six classic categories."""
    with database.write() as session:
        session.add_all(InfoCategory(id=number, name=name) for number, name in enumerate(CATEGORIES, start=1))


@pytest.fixture
def add_article(database: Database, categories: None) -> Callable[..., int]:
    """Add an approved article (every column may be given) and return its id."""
    numbers = itertools.count(1)

    def add(**columns: Any) -> int:
        number = next(numbers)
        usual = {
            "id": number,
            "title": f"第{number}篇",
            "source": "新经资讯",
            "digest": f"摘要{number}",
            "content": f"<p>正文{number}</p>",
            "category_id": 2,
            "status": APPROVED,
            "published_at": datetime(2026, 1, 1, tzinfo=UTC),
        }
        with database.write() as session:
            article = InfoNews(**usual | columns)
            session.add(article)
            session.flush()
            return article.id

    return add


@dataclass
class UserService:
    """A stand-in for user-service: whom it knows since when, what it was asked, and the status of its answers.

    ``accounts`` are its ids and mobiles, for the question which accounts of a dump are the same; ``batches`` are the
    sizes of these questions.
    """

    address: str = ""
    known: dict[int, str] = field(default_factory=dict)
    created_at: dict[int, str] = field(default_factory=dict)
    asked: list[list[int]] = field(default_factory=list)
    accounts: dict[int, str] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    status: int = 200


@pytest.fixture
def user_service() -> Iterator[UserService]:
    """A stand-in for user-service on a socket."""
    service = UserService()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ids = [int(value) for value in parse_qs(urlsplit(self.path).query).get("id", [])]
            service.asked.append(ids)
            items = [
                {
                    "id": number,
                    "nick_name": service.known[number],
                    "avatar_url": None,
                    "created_at": service.created_at.get(number),
                }
                for number in ids
                if number in service.known
            ]
            self._send({"items": items})

        def do_POST(self) -> None:
            assert self.path == "/internal/users/imported"
            accounts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["accounts"]
            service.batches.append(len(accounts))
            same = [each["id"] for each in accounts if service.accounts.get(each["id"]) == each["mobile"]]
            self._send({"ids": same})

        def _send(self, answer: dict[str, Any]) -> None:
            body = json.dumps(answer).encode()
            self.send_response(service.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield service
        server.shutdown()
        thread.join()


@pytest.fixture
def client_of_users(user_service: UserService, internal_tokens: InternalTokens) -> ServiceClient:
    """A client of the stand-in for user-service, which knows the people of the dumps here."""
    user_service.accounts = {1: "13800138001", 5: "13800138005", 6: "13800138006"}
    return ServiceClient(user_service.address, name="user-service", own_name="news-service", tokens=internal_tokens)


@pytest.fixture
def run(
    database_url: str, tmp_path: Path, client_of_users: ServiceClient
) -> Iterator[Callable[..., list[ImportReport]]]:
    """Import files, or texts of SQL, and return a report per file."""
    database = Database(database_url, answer_seconds=ANSWER_SECONDS)

    def run(
        *sources: Path | str, zone: str = "Asia/Shanghai", is_dry_run: bool = False, pictures: Pictures = NO_PICTURES
    ) -> list[ImportReport]:
        files = []
        for number, source in enumerate(sources):
            path = source if isinstance(source, Path) else tmp_path / f"{number}.sql"
            if isinstance(source, str):
                path.write_text(source, encoding="utf-8")
            files.append(examine_file(path, lambda _: None))
        options = ImportOptions(
            zone=ZoneInfo(zone), is_dry_run=is_dry_run, progress=lambda *_: contextlib.nullcontext(lambda _: None)
        )
        find_same = partial(ask_user_service, client_of_users)
        return [report for _, report in import_files(database, files, options, find_same=find_same, pictures=pictures)]

    yield run
    database.close()


@pytest.fixture
def settings(
    database_url: str, redis: Redis, redis_url: str, internal_token_key: str, user_service: UserService, tmp_path: Path
) -> Settings:
    """Settings of an app whose parts are all real but user-service."""
    return Settings(
        database_url=SecretStr(database_url),
        redis_url=redis_url,
        internal_token_key=SecretStr(internal_token_key),
        user_service_url=user_service.address,
        view_flush_seconds=3600,
        comment_review=ReviewPolicy.OFF,
        comments_per_user_per_minute=1000,
        comments_per_ip_per_minute=1000,
        reactions_per_user_per_minute=1000,
        images_dir=tmp_path / "images",
    )


@pytest.fixture
def make_app() -> Iterator[Callable[[Settings], OpenAPI]]:
    """Make apps whose parts are closed at the end of the test."""
    with contextlib.ExitStack() as made:

        def make(settings: Settings) -> OpenAPI:
            app = create_app(settings)
            made.callback(svcs.flask.close_registry, app)
            return app

        yield make


@pytest.fixture
def app(make_app: Callable[[Settings], OpenAPI], settings: Settings) -> OpenAPI:
    """The app on a migrated, empty database."""
    return make_app(settings)


@pytest.fixture
def client(app: OpenAPI, called_by: Callable[..., dict[str, str]]) -> FlaskClient:
    """A client that calls as the gateway, for nobody; other headers can be given per request."""
    client = app.test_client()
    for name, value in called_by("news-service").items():
        client.environ_base[f"HTTP_{name.upper().replace('-', '_')}"] = value
    return client


@pytest.fixture
def sign_in(
    app: OpenAPI, user_service: UserService, called_by: Callable[..., dict[str, str]]
) -> Callable[[int], FlaskClient]:
    """Give a client that calls as the gateway for a user whom user-service knows."""

    def sign_in(user_id: int) -> FlaskClient:
        user_service.known.setdefault(user_id, f"用户{user_id}")
        client = app.test_client()
        for name, value in called_by("news-service", user_id=user_id).items():
            client.environ_base[f"HTTP_{name.upper().replace('-', '_')}"] = value
        return client

    return sign_in


@pytest.fixture
def statements(app: OpenAPI) -> Iterator[list[str]]:
    """The SQL statements that the app sends, as they come."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("PRAGMA", "SELECT 1")):
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
def at_once() -> Callable[..., list[Any]]:
    """Run calls in threads that begin together, and return what they return, in their order."""

    def run(*calls: Callable[[], Any]) -> list[Any]:
        barrier = threading.Barrier(len(calls), timeout=10)

        def begin(call: Callable[[], Any]) -> Any:
            barrier.wait()
            return call()

        with ThreadPoolExecutor(len(calls)) as threads:
            return [done.result(timeout=30) for done in [threads.submit(begin, call) for call in calls]]

    return run
