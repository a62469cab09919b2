"""Idempotency-Key: the same request gets the same answer and one text, whatever happened to the first."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis

from chassis.errors import IdempotencyKeyInFlight, SmsUnavailable
from chassis.redis_client import connect_redis
from sms_service.api.idempotency import AcceptedCodeRequest, IdempotencyKeys
from sms_service.app import create_app
from sms_service.codes.crypto import CodeKeys
from sms_service.providers.inbox import Inbox
from sms_service.queue.interface import NotPublished, PublishFailure
from sms_service.queue.redis_stream import RedisStreamPublisher

pytestmark = pytest.mark.usefixtures("living_worker")

BODY = {"mobile": "13800138000", "purpose": "register", "captcha_id": "one", "captcha_text": "AB3D"}
PROMISE: AcceptedCodeRequest = {"expires_in": 300, "resend_after": 60}


@pytest.fixture
def post(client, called_by) -> Callable[..., Any]:
    def send(key: str | None, *, user_id: int | None = None, **fields: str) -> Any:
        headers = called_by("sms-service", user_id=user_id) | ({} if key is None else {"Idempotency-Key": key})
        return client.post("/api/v1/sms-codes", json=BODY | fields, headers=headers)

    return send


@pytest.fixture
def idempotency(redis: Redis, keys: CodeKeys) -> IdempotencyKeys:
    return IdempotencyKeys(redis, keys, keep_hours=24)


def test_T20_a_repeated_request_gets_the_same_answer_and_one_text(post, captcha_stub, work, inbox: Inbox) -> None:
    captcha_stub.answers["one"] = "AB3D"
    answers = [post("a-key") for _ in range(3)]
    assert [(answer.status_code, answer.json) for answer in answers] == [(202, PROMISE)] * 3
    assert len(captcha_stub.calls) == 1
    work()
    assert len(inbox.messages()) == 1


def test_a_repeated_request_is_answered_when_nobody_works_any_more(post, captcha_stub, living_worker) -> None:
    captcha_stub.answers["one"] = "AB3D"
    assert post("a-key").status_code == 202
    living_worker.leave()
    again = post("a-key")
    assert (again.status_code, again.json) == (202, PROMISE)
    assert post("another-key").status_code == 503


def test_a_refused_captcha_is_refused_again_without_being_asked(post, captcha_stub) -> None:
    captcha_stub.answers["one"] = "OTHER"
    answers = [post("a-key") for _ in range(2)]
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(400, "captcha_wrong")] * 2
    answers = [post("b-key", captcha_id="never-issued") for _ in range(2)]
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(400, "captcha_expired")] * 2
    assert len(captcha_stub.calls) == 2


@pytest.mark.parametrize(
    "change", [{"mobile": "13900139000"}, {"purpose": "login"}, {"captcha_id": "two"}, {"captcha_text": "XY"}]
)
def test_T20_another_body_is_refused(post, captcha_stub, change: dict[str, str]) -> None:
    captcha_stub.answers |= {"one": "AB3D", "two": "AB3D"}
    assert post("a-key").status_code == 202
    answer = post("a-key", **change)
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    assert len(captcha_stub.calls) == 1


def test_users_do_not_meet_each_others_keys(post, captcha_stub) -> None:
    captcha_stub.answers |= {"one": "AB3D", "two": "AB3D"}
    assert post("a-key", user_id=7, purpose="reauthenticate").status_code == 202
    other = post("a-key", user_id=8, captcha_id="two", mobile="13900139000", purpose="reauthenticate")
    assert other.status_code == 202


@pytest.mark.parametrize("key", ["", " ", "two words", "k" * 256, "schlüssel", "tab\tbed"])
def test_a_key_that_is_not_visible_ascii_is_named(post, captcha_stub, key: str) -> None:
    answer = post(key)
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert [error["field"] for error in answer.json["errors"]] == ["Idempotency-Key"]
    assert captcha_stub.calls == []


@pytest.mark.parametrize("key", ["!", "k" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
def test_any_visible_ascii_is_a_key(post, captcha_stub, key: str) -> None:
    captcha_stub.answers["one"] = "AB3D"
    assert post(key).status_code == 202


def test_T20_two_at_once_make_one_text(settings, called_by, captcha_stub, stream_publisher, work, inbox: Inbox) -> None:
    class SlowPublisher:
        """Holds the first request until the second one is answered."""

        def __init__(self) -> None:
            self.begun, self.answered = threading.Event(), threading.Event()

        def publish(self, job: Any) -> None:
            self.begun.set()
            assert self.answered.wait(10)
            stream_publisher.publish(job)

        def is_up(self) -> bool:
            return True

        def close_connections(self) -> None:
            pass

    captcha_stub.answers["one"] = "AB3D"
    publisher = SlowPublisher()
    app = create_app(settings, publisher=publisher)
    headers = called_by("sms-service") | {"Idempotency-Key": "a-key"}

    def post() -> Any:
        return app.test_client().post("/api/v1/sms-codes", json=BODY, headers=headers)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post)
        assert publisher.begun.wait(10)
        second = post()
        publisher.answered.set()
        assert first.result().status_code == 202
    assert (second.status_code, second.json["code"]) == (409, "idempotency_key_in_flight")
    assert int(second.headers["Retry-After"]) >= 1
    assert post().json == PROMISE
    work()
    assert len(inbox.messages()) == 1


def test_50_threads_act_once(idempotency: IdempotencyKeys) -> None:
    acted: list[int] = []

    def act() -> AcceptedCodeRequest:
        acted.append(1)
        return PROMISE

    def ask(_: int) -> AcceptedCodeRequest | None:
        try:
            return idempotency.run_once("a-key", "a request", caller="", act=act)
        except IdempotencyKeyInFlight:
            return None

    with ThreadPoolExecutor(50) as pool:
        answers = [answer for answer in pool.map(ask, range(50)) if answer]
    assert len(acted) == 1
    assert answers == [PROMISE] * len(answers)
    assert answers


@pytest.mark.parametrize("error", [SmsUnavailable(), KeyboardInterrupt(), RuntimeError("broke")])
def test_a_try_without_a_final_answer_frees_the_key(idempotency: IdempotencyKeys, error: BaseException) -> None:
    def fail() -> AcceptedCodeRequest:
        raise error

    with pytest.raises(type(error)):
        idempotency.run_once("a-key", "a request", caller="", act=fail)
    assert idempotency.run_once("a-key", "another request", caller="", act=lambda: PROMISE) == PROMISE


def test_a_limit_frees_the_key(post, captcha_stub) -> None:
    captcha_stub.answers |= {"one": "AB3D", "two": "AB3D", "three": "AB3D"}
    assert post("a-key").status_code == 202
    assert post("b-key", captcha_id="two").status_code == 429
    assert post("b-key", captcha_id="three").json["code"] == "too_many_requests"


def test_a_failed_publish_frees_the_key(settings, called_by, captcha_stub) -> None:
    class Broken:
        def publish(self, _: Any) -> None:
            raise NotPublished(PublishFailure.TIMEOUT)

        def is_up(self) -> bool:
            return False

        def close_connections(self) -> None:
            pass

    captcha_stub.answers |= {"one": "AB3D", "two": "AB3D"}
    client = create_app(settings, publisher=Broken()).test_client()
    headers = called_by("sms-service") | {"Idempotency-Key": "a-key"}
    assert client.post("/api/v1/sms-codes", json=BODY, headers=headers).status_code == 503
    again = client.post("/api/v1/sms-codes", json=BODY | {"captcha_id": "two"}, headers=headers)
    assert (again.status_code, again.json["code"]) == (503, "sms_unavailable")


def test_after_a_crash_the_key_is_free_within_30_seconds(idempotency: IdempotencyKeys, redis: Redis) -> None:
    def crash() -> AcceptedCodeRequest:
        """Look at what a crash in here would leave behind, and let the marker's time be over."""
        [record] = redis.keys("sms:idempotency:*")
        assert 29_000 < redis.pttl(record) <= 30_000
        redis.delete(record)
        assert idempotency.run_once("a-key", "a request", caller="", act=lambda: PROMISE) == PROMISE
        raise RuntimeError("came back too late")

    with pytest.raises(RuntimeError):
        idempotency.run_once("a-key", "a request", caller="", act=crash)
    # The late try did not take away the answer of the one that came after it.
    assert idempotency.run_once("a-key", "a request", caller="", act=crash) == PROMISE


def test_an_answer_is_kept_for_a_day_and_tells_nothing(post, captcha_stub, redis: Redis) -> None:
    captcha_stub.answers["one"] = "AB3D"
    post("a-key-that-is-readable")
    [record] = redis.keys("sms:idempotency:*")
    assert 86_390 < redis.ttl(record) <= 86_400
    kept = repr((record, redis.hgetall(record)))
    for secret in ("a-key-that-is-readable", "3800138000", "AB3D"):
        assert secret not in kept


def test_without_redis_a_request_with_a_key_fails_closed(keys: CodeKeys) -> None:
    away = IdempotencyKeys(connect_redis("redis://127.0.0.1:9"), keys, keep_hours=24)
    with pytest.raises(SmsUnavailable):
        away.run_once("a-key", "a request", caller="", act=lambda: PROMISE)
    assert away.run_once(None, "a request", caller="", act=lambda: PROMISE) == PROMISE


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(idempotency: IdempotencyKeys, redis: Redis) -> None:
    def act() -> AcceptedCodeRequest:
        [record] = redis.keys("sms:idempotency:*")
        redis.delete(record)
        redis.set(record, "of a type that makes Redis fail", px=1000)
        return PROMISE

    assert idempotency.run_once("a-key", "a request", caller="", act=act) == PROMISE


def test_the_stream_holds_one_job(post, captcha_stub, redis: Redis, stream_publisher: RedisStreamPublisher) -> None:
    captcha_stub.answers["one"] = "AB3D"
    post("a-key")
    post("a-key")
    [stream] = [key for key in redis.keys("sms:*") if redis.type(key) == "stream"]
    assert redis.xlen(stream) == 1
