"""Fixtures of the SMS service: a stub of captcha-service at the socket, an app on a real Redis, a worker's parts."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from random import Random, SystemRandom
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import structlog
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from redis import Redis
from tenacity import Retrying, stop_after_attempt

from chassis.logs import configure_logs
from sms_service.app import create_app
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.keys import DATA_KEY, WORKERS_KEY
from sms_service.codes.sms_codes import SmsCodes
from sms_service.codes.templates import Templates
from sms_service.providers.factory import make_inbox
from sms_service.providers.inbox import Inbox, InboxProvider
from sms_service.queue.interface import JobConsumer
from sms_service.queue.redis_stream import RedisStreamConsumer, RedisStreamPublisher
from sms_service.routing.breaker import CircuitBreaker, ProviderHealth
from sms_service.routing.dispatcher import Dispatcher
from sms_service.routing.routes import Pace, Routes
from sms_service.settings import Settings
from sms_service.worker.heartbeat import Heartbeat
from sms_service.worker.job_handler import JobHandler, TextWriter
from sms_service.worker.job_states import JobStates


class FixedOrder(Random):
    """Chance that draws in the order of a list."""

    def __init__(self, order: Sequence[str]) -> None:
        super().__init__(0)
        self._order = order

    def choices(self, population: Any, *_arguments: Any, **_more: Any) -> list[Any]:
        return [min(population, key=self._order.index)]


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass


class CaptchaStub:
    """Plays captcha-service: ``answers`` maps a captcha's id to its text; a captcha is used up by any attempt."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.calls: list[dict[str, Any]] = []
        self.forced: tuple[int, dict[str, Any]] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        sent = json.loads(environ["wsgi.input"].read(length))
        self.calls.append({"path": environ["PATH_INFO"], "token": environ.get("HTTP_X_INTERNAL_TOKEN"), "body": sent})
        status, body = self.forced or self._judge(environ["PATH_INFO"].split("/")[3], sent["text"])
        kind = "application/json" if status == 200 else "application/problem+json"
        raw = json.dumps(body).encode()
        headers = [("Content-Type", kind), ("Content-Length", str(len(raw)))]
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [raw]

    def _judge(self, captcha_id: str, text: str) -> tuple[int, dict[str, Any]]:
        answer = self.answers.pop(captcha_id, None)
        if answer is None:
            return 400, {"code": "captcha_expired", "detail": "gone", "errors": []}
        return 200, {"passed": answer == text}


@pytest.fixture
def captcha_stub() -> CaptchaStub:
    return CaptchaStub()


@pytest.fixture
def captcha_address(captcha_stub: CaptchaStub) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, captcha_stub, handler_class=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def make_settings(redis: Redis, redis_url: str, internal_token_key: str) -> Callable[..., Settings]:
    def make(**changed: Any) -> Settings:
        fields = {
            "redis_url": redis_url,
            "internal_token_key": internal_token_key,
            "code_key": "the code key of the tests, 32 bytes",
            "captcha_service_url": "http://127.0.0.1:9",
        }
        return Settings(**(fields | changed))

    return make


@pytest.fixture
def settings(make_settings: Callable[..., Settings], captcha_address: str) -> Settings:
    return make_settings(captcha_service_url=captcha_address)


@pytest.fixture
def make_heartbeat(redis: Redis) -> Callable[..., Heartbeat]:
    """Make the heartbeat of one more worker."""

    def make(*, seen_within_seconds: float = 60, **more: Any) -> Heartbeat:
        return Heartbeat(redis, seen_within_seconds=seen_within_seconds, code_ttl_seconds=300, **more)

    return make


@pytest.fixture
def living_worker(make_heartbeat: Callable[..., Heartbeat]) -> Heartbeat:
    """A worker that the API has heard of; it takes no jobs."""
    heartbeat = make_heartbeat()
    heartbeat.beat(is_idle=False)
    return heartbeat


@pytest.fixture
def keys_of_requests(redis: Redis) -> Callable[[], list[str]]:
    """The keys that are not a living worker's."""
    return lambda: [key for key in redis.keys("sms:*") if key not in (WORKERS_KEY, DATA_KEY)]


@pytest.fixture
def app(settings: Settings, living_worker: Heartbeat) -> OpenAPI:
    return create_app(settings)


@pytest.fixture
def client(app: OpenAPI) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def ask(client: FlaskClient, captcha_stub: CaptchaStub, called_by: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """Ask for a code as the gateway does, with a fresh captcha that is answered rightly."""

    def post(mobile: str = "13800138000", purpose: str = "register", *, ip: str = "192.0.2.1", **more: Any) -> Any:
        captcha_id = f"captcha-{len(captcha_stub.calls)}"
        captcha_stub.answers[captcha_id] = "AB3D"
        user_id = more.pop("user_id", None)
        body = {"mobile": mobile, "purpose": purpose, "captcha_id": captcha_id, "captcha_text": "AB3D"} | more
        headers = called_by("sms-service", user_id=user_id) | {"X-Forwarded-For": ip}
        return client.post("/api/v1/sms-codes", json=body, headers=headers)

    return post


@pytest.fixture
def consume(client: FlaskClient, called_by: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """Try a code as user-service does."""

    def post(code: str, mobile: str = "13800138000", purpose: str = "register", **more: Any) -> Any:
        body = {"mobile": mobile, "purpose": purpose, "code": code} | more
        return client.post("/internal/sms-codes/consume", json=body, headers=called_by("sms-service", "user-service"))

    return post


@pytest.fixture
def keys(make_settings: Callable[..., Settings]) -> CodeKeys:
    return CodeKeys(make_settings().code_key.get_secret_value())


@pytest.fixture
def make_codes(redis: Redis, keys: CodeKeys, make_settings: Callable[..., Settings]) -> Callable[..., SmsCodes]:
    """Make the API's side of the state machine; every code is 042619."""

    def make(**changed: Any) -> SmsCodes:
        return SmsCodes(redis, keys, make_settings(**changed), draw=lambda: "042619")

    return make


@pytest.fixture
def make_job_states(redis: Redis, keys: CodeKeys) -> Callable[..., JobStates]:
    def make(*, useful_lifetime_seconds: float = 30, claim_window_seconds: float = 15) -> JobStates:
        return JobStates(
            redis,
            keys,
            useful_lifetime_seconds=useful_lifetime_seconds,
            claim_window_seconds=claim_window_seconds,
        )

    return make


@pytest.fixture
def expiry_ms(redis: Redis) -> Callable[[str], int]:
    """Say when a key expires, in ms since 1970 by the clock of Redis; the answer may be a few ms off."""

    def read(key: str) -> int:
        with redis.pipeline(transaction=True) as pipeline:
            (seconds, microseconds), left = pipeline.time().pttl(key).execute()
        return int(seconds) * 1000 + int(microseconds) // 1000 + int(left)

    return read


@pytest.fixture
def now_ms(redis: Redis) -> Callable[[], int]:
    """Say what time it is by the clock of Redis, in ms since 1970."""

    def read() -> int:
        seconds, microseconds = redis.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    return read


@pytest.fixture
def inbox(redis: Redis, keys: CodeKeys, make_settings: Callable[..., Settings]) -> Inbox:
    return make_inbox(make_settings(), redis, keys)


@pytest.fixture
def stream_consumer(redis: Redis) -> RedisStreamConsumer:
    return RedisStreamConsumer(redis, reclaim_after_seconds=0.05)


@pytest.fixture
def stream_publisher(redis: Redis) -> RedisStreamPublisher:
    return RedisStreamPublisher(redis, capacity_jobs=1000)


@pytest.fixture
def make_job_handler(
    stream_consumer: RedisStreamConsumer, make_job_states: Callable[..., JobStates], inbox: Inbox, redis: Redis
) -> Callable[..., JobHandler]:
    """Make a worker's job handler, with the inbox unless providers are given."""

    def make(
        *providers: Any,
        consumer: JobConsumer = stream_consumer,
        order: Sequence[str] = (),
        routes: Routes | None = None,
        **changed: Any,
    ) -> JobHandler:
        known = {provider.name: provider for provider in providers or (InboxProvider(inbox),)}
        calling_once = Retrying(stop=stop_after_attempt(1), reraise=True)
        dispatcher = Dispatcher(
            providers=known,
            routes=routes or {"*": dict.fromkeys(known, 1)},
            breaker=CircuitBreaker(redis, dict.fromkeys(known, Pace(sends_per_second=1000, parallel_sends=100))),
            health=ProviderHealth(redis),
            retrying=calling_once,
            random=FixedOrder(order) if order else SystemRandom(),
        )
        fields = {"useful_lifetime_seconds": 30, "retrying": calling_once, "stopping": threading.Event()} | changed
        writer = TextWriter(Templates(), code_ttl_seconds=300)
        return JobHandler(consumer=consumer, states=make_job_states(), dispatcher=dispatcher, writer=writer, **fields)

    return make


@pytest.fixture
def work(stream_consumer: RedisStreamConsumer, make_job_handler: Callable[..., JobHandler]) -> Callable[..., int]:
    """Handle every job that waits; answers how many there were."""

    def run(*providers: Any) -> int:
        handler, handled = make_job_handler(*providers), 0
        while leases := stream_consumer.lease(limit=10, wait_seconds=0.001):
            for lease in leases:
                handler.handle(lease)
            handled += len(leases)
        return handled

    return run


@pytest.fixture(autouse=True)
def _quiet_logs() -> Iterator[None]:
    """Write logs as the service does: structlog's default prints whole tracebacks with local values."""
    configure_logs("sms-service", "ERROR")
    structlog.configure(cache_logger_on_first_use=False)  # A test may configure them anew.
    yield
    structlog.reset_defaults()


@pytest.fixture
def log_lines(_quiet_logs: None) -> Iterator[list[Any]]:
    """What is logged, warnings too."""
    structlog.reset_defaults()
    with structlog.testing.capture_logs() as lines:
        yield lines
