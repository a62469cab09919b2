"""Fixtures: a migrated database, a stub of sms-service, the app and a client that calls as the gateway does."""

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import jwt
import pytest
import svcs
from flask_openapi3 import OpenAPI
from redis import Redis
from sqlalchemy import select, update
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from chassis.database import Database
from chassis.identity import INTERNAL_TOKEN_HEADER
from chassis.mobiles import parse_mobile
from user_service.app import MIGRATIONS, create_app
from user_service.models import AuditEvent, User, UserSession
from user_service.settings import Settings

PASSWORD = "correct horse battery"
MOBILE = "+8613800138000"
ADMIN_MOBILE = "+8613700137000"
CODE = "031415"


@dataclass
class SmsServiceStub:
    """Plays sms-service at the socket: knows which codes are live and for which user, and keeps what it was asked.

    ``notices`` holds mobile, notice and language of each; with ``refuses_notices`` it takes none.
    """

    url: str = ""
    live: dict[tuple[str, str], str] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    subjects: dict[tuple[str, str], str] = field(default_factory=dict)
    notices: list[tuple[str, str, str]] = field(default_factory=list)
    broken: bool = False
    refuses_notices: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, token: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        with self._lock:
            self.requests.append({"path": path, "token": token, **body})
            key = (body["mobile"], body["purpose"])
            expected = self.live.get(key)
            if self.broken:
                return "500 Internal Server Error", {"code": "internal_error"}
            if expected is None or self.subjects.get(key, "") != body.get("subject", ""):
                return "400 Bad Request", {"code": "sms_code_expired", "detail": "gone", "errors": []}
            if expected != body["code"]:
                return "200 OK", {"verified": False, "attempts_left": 4}
            del self.live[key]
            return "200 OK", {"verified": True, "attempts_left": 0}

    def take_notice(self, body: dict[str, Any], language: str) -> tuple[str, dict[str, Any] | None]:
        if self.refuses_notices:
            return "503 Service Unavailable", {"code": "sms_unavailable", "detail": "gone", "errors": []}
        self.notices.append((body["mobile"], body["notice"], language))
        return "204 No Content", None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        token = environ["HTTP_" + INTERNAL_TOKEN_HEADER.upper().replace("-", "_")]
        if environ["PATH_INFO"] == "/internal/sms-notices":
            status, answer = self.take_notice(body, environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        else:
            status, answer = self.answer(environ["PATH_INFO"], token, body)
        payload = b"" if answer is None else json.dumps(answer).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))])
        return [payload]


@dataclass
class CaptchaServiceStub:
    """Plays captcha-service at the socket: each captcha that it knows is judged once."""

    url: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    callers: list[str] = field(default_factory=list)
    broken: bool = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        text = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))["text"]
        self.callers.append(environ["HTTP_" + INTERNAL_TOKEN_HEADER.upper().replace("-", "_")])
        captcha_id = re.fullmatch("/internal/captchas/([^/]+)/attempts", environ["PATH_INFO"])[1]
        expected = self.answers.pop(captcha_id, None)
        if self.broken:
            status, answer = "503 Service Unavailable", {"code": "service_unavailable"}
        elif expected is None:
            status, answer = "400 Bad Request", {"code": "captcha_expired"}
        else:
            status, answer = "200 OK", {"passed": text == expected}
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's.
        return


class _ManyAtOnce(WSGIServer):
    """A server at which many clients may knock at a time: the standard library lets five wait."""

    request_queue_size = 64


@pytest.fixture(autouse=True)
def log_lines() -> Iterator[list[Any]]:
    """What was logged, unmasked: no test prints it, and rendering tracebacks for a terminal takes seconds."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def sms_service() -> Iterator[SmsServiceStub]:
    with _served(SmsServiceStub()) as stub:
        yield stub


@pytest.fixture
def captcha_service() -> Iterator[CaptchaServiceStub]:
    with _served(CaptchaServiceStub()) as stub:
        yield stub


@contextmanager
def _served(stub: Any) -> Iterator[Any]:
    with make_server("127.0.0.1", 0, stub, server_class=_ManyAtOnce, handler_class=_Quiet) as server:
        stub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield stub
        server.shutdown()
        thread.join()


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database_url(migrated_database_url: Callable[[str], str]) -> str:
    return migrated_database_url(MIGRATIONS)


@pytest.fixture
def settings(
    database_url: str,
    redis: Redis,
    redis_url: str,
    sms_service: SmsServiceStub,
    captcha_service: CaptchaServiceStub,
    internal_token_key: str,
    tmp_path: Path,
) -> Settings:
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        sms_service_url=sms_service.url,
        captcha_service_url=captcha_service.url,
        internal_token_key=internal_token_key,
        refresh_token_key="a refresh token key of the tests only",
        password_keys="test:a-password-key-of-the-tests-only-1,older:a-password-key-of-the-tests-only-2",
        media_dir=tmp_path / "media",
        signing_key_file=tmp_path / "keys" / "signing.pem",
        argon2_profile="weak_only_for_tests",
    )


@pytest.fixture
def naps() -> list[float]:
    """The seconds that logins were held up, which no test waits for."""
    return []


@pytest.fixture
def app(settings: Settings, clock: Clock, naps: list[float]) -> Iterator[OpenAPI]:
    app = create_app(settings, clock=clock, sleep=naps.append)
    yield app
    svcs.flask.close_registry(app)


@pytest.fixture
def app_without_redis(settings: Settings, clock: Clock) -> Iterator[OpenAPI]:
    """An app on the same database whose Redis is away."""
    app = create_app(settings.model_copy(update={"redis_url": "unix:///nowhere/redis.sock"}), clock=clock)
    yield app
    svcs.flask.close_registry(app)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database of the test's own beside the app's, to look behind it."""
    database = Database(database_url)
    yield database
    database.close()


@dataclass(frozen=True)
class Person:
    """Calls the app as the gateway does on behalf of one client, signed in or not."""

    app: OpenAPI
    called_by: Callable[..., dict[str, str]]
    ip: str = "203.0.113.7"
    user: dict[str, Any] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        sent = {
            **self.called_by("user-service", **self.user),
            "X-Forwarded-For": self.ip,
            "User-Agent": "a test",
            **headers,
        }
        more = {} if body is None else {"json": body}
        return self.app.test_client().open(path, method=method, headers=sent, **more)

    def signed_in(self, answer: TestResponse) -> "Person":
        """Be the user whom a login answered."""
        claims = _claims(answer.json["access_token"])
        user = {
            "user_id": int(claims["sub"]),
            "session_id": claims["sid"],
            "auth_time": claims["auth_time"],
            "roles": frozenset(claims["roles"]),
        }
        return Person(self.app, self.called_by, self.ip, user)

    def at(self, ip: str) -> "Person":
        """Be the same person at another address."""
        return replace(self, ip=ip)

    def through(self, app: OpenAPI) -> "Person":
        """Be the same person at another instance."""
        return replace(self, app=app)


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


@pytest.fixture
def claims_of() -> Callable[[str], dict[str, Any]]:
    return _claims


@pytest.fixture
def visitor(app: OpenAPI, called_by: Callable[..., dict[str, str]]) -> Person:
    return Person(app, called_by)


@pytest.fixture
def register(visitor: Person, sms_service: SmsServiceStub) -> Callable[..., TestResponse]:
    """Register with a live code; fields may be replaced."""

    def register(**fields: Any) -> TestResponse:
        mobile = fields.get("mobile", MOBILE)
        sms_service.live[parse_mobile(mobile), "register"] = CODE
        body = {"mobile": mobile, "sms_code": CODE, "password": PASSWORD, **fields}
        return visitor.call("POST", "/api/v1/users", body)

    return register


@pytest.fixture
def owner(visitor: Person, register: Callable[..., TestResponse]) -> Person:
    """Somebody who has just registered."""
    return visitor.signed_in(register())


@pytest.fixture
def guess(log_in: Callable[..., TestResponse], solve: Callable[[], dict[str, str]]) -> Callable[..., TestResponse]:
    """Try a wrong password with a right captcha."""

    def guess(mobile: str = MOBILE, **options: Any) -> TestResponse:
        return log_in(mobile, "something else", **options, **solve())

    return guess


@pytest.fixture
def log_in_by_code(visitor: Person) -> Callable[..., TestResponse]:
    """Log in by code."""

    def log_in(mobile: str = MOBILE, code: str = "271828", person: Person = visitor) -> TestResponse:
        return person.call("POST", "/api/v1/sessions", {"mobile": mobile, "sms_code": code})

    return log_in


@pytest.fixture
def change_user(database: Database) -> Callable[..., None]:
    """Change columns of an account behind the app's back."""

    def change(mobile: str = MOBILE, **columns: Any) -> None:
        with database.write() as db:
            db.execute(update(User).where(User.mobile == mobile).values(**columns))

    return change


@pytest.fixture
def admin(
    register: Callable[..., TestResponse],
    log_in: Callable[..., TestResponse],
    change_user: Callable[..., None],
    visitor: Person,
) -> Person:
    """An administrator who has just logged in."""
    register(mobile=ADMIN_MOBILE)
    change_user(ADMIN_MOBILE, is_admin=True)
    return visitor.signed_in(log_in(ADMIN_MOBILE))


@pytest.fixture
def stored_events(database: Database) -> Callable[[], list[AuditEvent]]:
    """Read the audit log, oldest first."""

    def read() -> list[AuditEvent]:
        with database.read() as db:
            return list(db.scalars(select(AuditEvent).order_by(AuditEvent.id)))

    return read


@pytest.fixture
def revoked(redis: Redis) -> Callable[[], list[dict[str, str]]]:
    """Read the whole revocation stream."""
    return lambda: [fields for _, fields in redis.xrange("user:revocations")]


@pytest.fixture
def log_in(visitor: Person) -> Callable[..., TestResponse]:
    """Log in by password."""

    def log_in(
        mobile: str = MOBILE, password: str = PASSWORD, person: Person = visitor, **captcha: str
    ) -> TestResponse:
        return person.call("POST", "/api/v1/sessions", {"mobile": mobile, "password": password, **captcha})

    return log_in


@pytest.fixture
def refresh(visitor: Person) -> Callable[[str], TestResponse]:
    """Exchange a refresh token."""
    return lambda token: visitor.call("POST", "/api/v1/tokens/refresh", {"refresh_token": token})


@pytest.fixture
def stored_users(database: Database) -> Callable[[], list[User]]:
    """Read all accounts behind the app's back."""

    def read() -> list[User]:
        with database.read() as db:
            return list(db.scalars(select(User).order_by(User.id)))

    return read


@pytest.fixture
def stored_sessions(database: Database) -> Callable[[], list[UserSession]]:
    """Read all sessions behind the app's back."""

    def read() -> list[UserSession]:
        with database.read() as db:
            return list(db.scalars(select(UserSession).order_by(UserSession.id)))

    return read


@pytest.fixture
def solve(captcha_service: CaptchaServiceStub) -> Callable[[], dict[str, str]]:
    """Issue a captcha and answer it rightly, as the fields of a login."""

    def solve() -> dict[str, str]:
        captcha_id = f"xj{uuid.uuid4().hex}"
        captcha_service.answers[captcha_id] = "AB3D"
        return {"captcha_id": captcha_id, "captcha_text": "AB3D"}

    return solve


@pytest.fixture
def audit(database: Database) -> Callable[..., list[AuditEvent]]:
    """Read the audit log behind the app's back, oldest first, or the lines of one event."""

    def read(event: str | None = None) -> list[AuditEvent]:
        with database.read() as db:
            lines = db.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        return [line for line in lines if event in (None, line.event)]

    return read
