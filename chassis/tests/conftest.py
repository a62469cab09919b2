"""A small service that has one route of each kind, its client, and another service that answers as a test says."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from pydantic import BaseModel, ConfigDict, Field

from chassis import errors
from chassis.identity import InternalTokens, current_caller, current_user_id
from chassis.web import Access, create_api, endpoint

SERVICE = "news-service"


class Article(BaseModel):
    """A request body with bounds."""

    model_config = ConfigDict(extra="forbid")
    title: str = Field(max_length=10)
    price: float = Field(ge=0)


class ArticlePath(BaseModel):
    """A path parameter."""

    article_id: int


class FailurePath(BaseModel):
    """The name of a failure."""

    name: str


class Page(BaseModel):
    """A query with bounds."""

    limit: int = Field(default=10, ge=1, le=100)


def add_role_routes(app: OpenAPI) -> None:
    @endpoint(app, "GET", "/editor", access=Access.EDITOR)
    def see_editor() -> dict[str, Any]:
        return {"user": current_user_id()}

    @endpoint(app, "GET", "/admin", access=Access.ADMIN)
    def see_admin() -> dict[str, Any]:
        return {"user": current_user_id()}


def add_routes(app: OpenAPI) -> None:
    @endpoint(app, "GET", "/open", access=Access.UNAUTHENTICATED)
    def see_open() -> dict[str, Any]:
        return {"kind": "open"}

    @endpoint(app, "GET", "/public", access=Access.PUBLIC)
    def see_public() -> dict[str, Any]:
        return {"service": current_caller().service}

    @endpoint(app, "GET", "/optional", access=Access.OPTIONAL)
    def see_optional() -> dict[str, Any]:
        return {"user": current_caller().user_id}

    @endpoint(app, "GET", "/signed-in", access=Access.SIGNED_IN)
    def see_signed_in() -> dict[str, Any]:
        return {"user": current_user_id()}

    @endpoint(app, "GET", "/internal/things", access=Access.SERVICE, callers=frozenset({"sms-service"}))
    def see_internal() -> dict[str, Any]:
        return {"service": current_caller().service}

    @app.get("/nobody-said-who")
    def see_unlisted() -> dict[str, Any]:
        return {}


def add_articles(app: OpenAPI) -> None:
    @endpoint(
        app, "POST", "/articles", access=Access.UNAUTHENTICATED, answers={201: Article}, failures=[errors.MobileTaken]
    )
    def write_article(body: Article) -> tuple[dict[str, Any], int]:
        """Write an article."""
        return body.model_dump(), 201

    @endpoint(app, "GET", "/articles/<article_id>", access=Access.UNAUTHENTICATED)
    def see_article(path: ArticlePath, query: Page) -> dict[str, Any]:
        return {"id": path.article_id, "limit": query.limit}


def add_failures(app: OpenAPI) -> None:
    failures: dict[str, Exception] = {
        "unexpected": RuntimeError("the password is hunter2"),
        "broken": errors.UpstreamUnavailable(),
        "late": errors.UpstreamTimeout(),
        "away": errors.DependencyUnavailable(),
        "away-long": errors.DependencyUnavailable(retry_after_seconds=17),
        "now": errors.TooManyRequests(retry_after_seconds=0),
        "limited": errors.TooManyRequests(),
        "taken": errors.MobileTaken(),
        "signed-out": errors.Unauthenticated(),
    }

    @endpoint(app, "GET", "/failures/<name>", access=Access.UNAUTHENTICATED)
    def fail(path: FailurePath) -> dict[str, Any]:
        raise failures[path.name]


@pytest.fixture
def api(internal_tokens: InternalTokens) -> OpenAPI:
    """A service of which the tests know every route."""
    app = create_api("chassis", service=SERVICE, tokens=internal_tokens, metrics_port=9100)
    add_routes(app)
    add_role_routes(app)
    add_articles(app)
    add_failures(app)
    return app


@pytest.fixture
def client(api: Flask) -> FlaskClient:
    """A client that reaches the service directly."""
    return api.test_client()


@dataclass
class FakeService:
    """A real HTTP server: what it was asked, and what it shall answer."""

    address: str = ""
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    answers_when: threading.Event = field(default_factory=threading.Event)

    def answer_problem(self, error: errors.XinjingError, **members: Any) -> None:
        self.status = error.status
        self.body = json.dumps({"code": error.code, "detail": error.detail, "errors": [], **members}).encode()


class ManyAtOnce(ThreadingHTTPServer):
    """A server at which many clients may connect at a time: the standard library lets five wait."""

    daemon_threads = True
    request_queue_size = 64


def make_handler(fake: FakeService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            fake.connections.add(self.client_address)
            fake.asked.append(
                {"path": self.path, "method": self.command, "headers": self.headers, "body": self.rfile.read(length)}
            )
            fake.answers_when.wait(10)
            if fake.status == 0:
                self.close_connection = True
                return
            self.send_response(fake.status)
            for name, value in fake.headers.items():
                self.send_header(name, value)
            if fake.status != 204:
                self.send_header("Content-Length", str(len(fake.body)))
            self.end_headers()
            if fake.status != 204:
                self.wfile.write(fake.body)

        def log_message(self, *args: Any) -> None:
            pass

    for method in ("GET", "POST"):
        setattr(Handler, f"do_{method}", Handler.answer)
    return Handler


@pytest.fixture
def fake_service() -> Iterator[FakeService]:
    """A service that answers ``{}`` until a test says otherwise."""
    fake = FakeService()
    fake.answers_when.set()
    server = ManyAtOnce(("127.0.0.1", 0), make_handler(fake))
    fake.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield fake
    fake.answers_when.set()
    server.shutdown()
    thread.join()
    server.socket.close()


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Find ports on which nothing listens."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    return find
