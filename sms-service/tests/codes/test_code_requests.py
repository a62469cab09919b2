"""Asking for a code: the whole way through the API, the queue and the worker's handling, into the inbox."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError
from redis import Redis

from chassis.mobiles import Mobile
from sms_service.app import create_app
from sms_service.codes.code_requests import report_budget_use
from sms_service.codes.purposes import Purpose
from sms_service.metrics import BUDGET_USED, UNVERIFIED, VERIFIED
from sms_service.providers.inbox import Inbox
from sms_service.queue.interface import NotPublished, PublishFailure
from sms_service.queue.job import SendJob
from sms_service.queue.redis_stream import RedisStreamPublisher
from sms_service.worker.job_states import ClaimReason

pytestmark = pytest.mark.usefixtures("living_worker")


def code_in(text: str) -> str:
    found = re.search(r"[0-9]{6}", text)
    assert found
    return found.group()


class FailingPublisher:
    """A queue that confirms nothing, though the job may be on it all the same."""

    def __init__(self, ghost: RedisStreamPublisher | None = None) -> None:
        self.ghost = ghost
        self.jobs: list[SendJob] = []

    def publish(self, job: SendJob) -> None:
        self.jobs.append(job)
        raise NotPublished(PublishFailure.TIMEOUT)

    def is_up(self) -> bool:
        return False

    def close_connections(self) -> None:
        pass


def test_a_code_is_texted_and_works(ask, consume, work, inbox: Inbox) -> None:
    answer = ask("138 0013 8000")
    assert answer.status_code == 202
    assert answer.json == {"expires_in": 300, "resend_after": 60}
    work()
    [message] = inbox.messages()
    assert message.mobile == "+8613800138000"
    assert re.fullmatch(r"【新经资讯】您的验证码是[0-9]{6}，5分钟内有效。", message.text)
    assert consume(code_in(message.text)).json == {"verified": True, "attempts_left": 0}


def test_a_code_works_only_once(ask, consume, work, inbox: Inbox) -> None:
    ask()
    work()
    code = code_in(inbox.messages()[0].text)
    consume(code)
    again = consume(code)
    assert (again.status_code, again.json["code"]) == (400, "sms_code_expired")


def test_a_code_works_before_its_text_is_sent(ask, consume, redis: Redis) -> None:
    ask()
    assert consume("not the code").json == {"verified": False, "attempts_left": 4}


def test_a_texted_code_that_was_right_is_unused_no_longer(ask, consume, work, inbox: Inbox, redis: Redis) -> None:
    ask()
    work()
    assert redis.zcard("sms:unverified:ip:192.0.2.1") == 1
    consume(code_in(inbox.messages()[0].text))
    assert redis.zcard("sms:unverified:ip:192.0.2.1") == 0


def test_five_wrong_tries_burn_the_code(ask, consume, work, inbox: Inbox) -> None:
    ask()
    work()
    code = code_in(inbox.messages()[0].text)
    left = [consume("wrong").json["attempts_left"] for _ in range(5)]
    assert left == [4, 3, 2, 1, 0]
    assert consume(code).json["code"] == "sms_code_expired"


def test_a_code_is_good_for_its_purpose_and_its_mobile_only(ask, consume, work, inbox: Inbox) -> None:
    ask()
    work()
    code = code_in(inbox.messages()[0].text)
    assert consume(code, purpose="login").json["code"] == "sms_code_expired"
    assert consume(code, mobile="13900139000").json["code"] == "sms_code_expired"


def test_a_bound_code_needs_a_signed_in_caller(ask, captcha_stub) -> None:
    answer = ask(purpose="change_mobile")
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert captcha_stub.calls == []


def test_a_bound_code_works_for_its_user_only(ask, consume, work, inbox: Inbox) -> None:
    assert ask(purpose="reauthenticate", user_id=7).status_code == 202
    work()
    code = code_in(inbox.messages()[0].text)
    assert consume(code, purpose="reauthenticate").json["code"] == "sms_code_expired"
    assert consume(code, purpose="reauthenticate", subject="8").json["code"] == "sms_code_expired"
    assert consume(code, purpose="reauthenticate", subject="7").json["verified"] is True


def test_a_wrong_mobile_is_told_before_the_captcha_is_spent(ask, captcha_stub) -> None:
    answer = ask("12345", purpose="change_mobile")
    assert (answer.status_code, answer.json["code"]) == (400, "mobile_invalid")
    assert captcha_stub.calls == []


def test_a_wrong_captcha_sends_nothing(ask, keys_of_requests) -> None:
    answer = ask(captcha_text="WRONG")
    assert (answer.status_code, answer.json["code"]) == (400, "captcha_wrong")
    assert keys_of_requests() == []


def test_an_expired_captcha_is_told(ask) -> None:
    answer = ask(captcha_id="never-issued")
    assert (answer.status_code, answer.json["code"]) == (400, "captcha_expired")


def test_without_captcha_service_nothing_is_sent(make_settings, called_by, keys_of_requests) -> None:
    client = create_app(make_settings(captcha_service_url="http://127.0.0.1:9")).test_client()
    body = {"mobile": "13800138000", "purpose": "login", "captcha_id": "c", "captcha_text": "t"}
    answer = client.post("/api/v1/sms-codes", json=body, headers=called_by("sms-service"))
    assert (answer.status_code, answer.json["code"]) == (503, "sms_unavailable")
    assert answer.headers["Retry-After"]
    assert keys_of_requests() == []


def test_an_answer_that_captcha_service_should_not_give_fails_closed(ask, captcha_stub) -> None:
    captcha_stub.forced = (200, {"passed": "yes"})
    assert ask().json["code"] == "captcha_wrong"
    captcha_stub.forced = (500, {"code": "internal_error"})
    assert ask().json["code"] == "sms_unavailable"


def test_the_captcha_is_asked_as_this_service(ask, captcha_stub, internal_tokens) -> None:
    ask()
    [call] = captcha_stub.calls
    assert call["body"] == {"text": "AB3D"}
    assert internal_tokens.read_token(call["token"], audience="captcha-service").service == "sms-service"


def test_a_second_request_waits_for_the_resend_interval(ask) -> None:
    assert ask().status_code == 202
    answer = ask()
    assert (answer.status_code, answer.json["code"]) == (429, "too_many_requests")
    assert 58 <= int(answer.headers["Retry-After"]) <= 60


def test_a_failed_publish_leaves_no_valid_code_and_can_be_tried_again(
    settings, ask, called_by, captcha_stub, consume, redis: Redis, work, inbox: Inbox
) -> None:
    captcha_stub.answers["one"] = "AB3D"
    client = create_app(settings, publisher=FailingPublisher()).test_client()
    body = {"mobile": "13800138000", "purpose": "register", "captcha_id": "one", "captcha_text": "AB3D"}
    answer = client.post("/api/v1/sms-codes", json=body, headers=called_by("sms-service"))
    assert (answer.status_code, answer.json["code"], answer.json["errno"]) == (503, "sms_unavailable", "4301")
    assert consume("042619").json["code"] == "sms_code_expired"
    assert ask().status_code == 202


def test_a_message_that_arrives_after_a_503_texts_nobody(
    settings, called_by, captcha_stub, stream_publisher, work, inbox: Inbox, consume
) -> None:
    captcha_stub.answers["one"] = "AB3D"
    publisher = FailingPublisher()
    client = create_app(settings, publisher=publisher).test_client()
    body = {"mobile": "13800138000", "purpose": "register", "captcha_id": "one", "captcha_text": "AB3D"}
    assert client.post("/api/v1/sms-codes", json=body, headers=called_by("sms-service")).status_code == 503
    stream_publisher.publish(publisher.jobs[0])
    assert work() == 1
    assert inbox.messages() == []
    assert consume("042619").json["code"] == "sms_code_expired"


def test_a_worker_that_was_faster_than_the_failed_publish_keeps_the_promise(
    settings, called_by, captcha_stub, stream_publisher, work, inbox: Inbox, consume
) -> None:
    class Ghost(FailingPublisher):
        def publish(self, job: SendJob) -> None:
            stream_publisher.publish(job)
            work()
            raise NotPublished(PublishFailure.TIMEOUT)

    captcha_stub.answers["one"] = "AB3D"
    client = create_app(settings, publisher=Ghost()).test_client()
    body = {"mobile": "13800138000", "purpose": "register", "captcha_id": "one", "captcha_text": "AB3D"}
    assert client.post("/api/v1/sms-codes", json=body, headers=called_by("sms-service")).status_code == 202
    assert consume(code_in(inbox.messages()[0].text)).json["verified"] is True


@pytest.fixture
def request_code(settings, called_by, captcha_stub) -> Callable[[Any], Any]:
    """Ask for a code with a publisher of one's own."""

    def post(publisher: Any) -> Any:
        captcha_stub.answers["one"] = "AB3D"
        client = create_app(settings, publisher=publisher).test_client()
        body = {"mobile": "13800138000", "purpose": "register", "captcha_id": "one", "captcha_text": "AB3D"}
        return client.post("/api/v1/sms-codes", json=body, headers=called_by("sms-service"))

    return post


def test_a_job_that_a_worker_met_after_its_claim_window_is_a_503(
    request_code, stream_publisher, make_job_states, consume, work, inbox: Inbox
) -> None:
    class SlowPublisher(FailingPublisher):
        def publish(self, job: SendJob) -> None:
            stream_publisher.publish(job)
            assert make_job_states(claim_window_seconds=-1).claim(job).reason is ClaimReason.LATE

    answer = request_code(SlowPublisher())
    assert (answer.status_code, answer.json["code"]) == (503, "sms_unavailable")
    work()
    assert inbox.messages() == []
    assert consume("042619").json["code"] == "sms_code_expired"


def test_a_job_that_redis_lost_while_it_was_published_is_a_503(request_code, redis: Redis, consume) -> None:
    class LosingPublisher(FailingPublisher):
        def publish(self, job: SendJob) -> None:
            redis.flushall()

    answer = request_code(LosingPublisher())
    assert (answer.status_code, answer.json["code"]) == (503, "sms_unavailable")
    assert consume("042619").json["code"] == "sms_code_expired"


def test_a_job_that_redis_lost_before_a_failed_publish_is_a_503(request_code, redis: Redis) -> None:
    class LosingPublisher(FailingPublisher):
        def publish(self, job: SendJob) -> None:
            redis.flushall()
            super().publish(job)

    answer = request_code(LosingPublisher())
    assert (answer.status_code, answer.json["code"]) == (503, "sms_unavailable")


def test_a_full_queue_is_a_503_without_a_charge(make_settings, captcha_address, ask, called_by, captcha_stub) -> None:
    client = create_app(make_settings(captcha_service_url=captcha_address, queue_capacity_jobs=1)).test_client()
    ask("13900139000")
    for captcha_id in ("one", "two"):
        captcha_stub.answers[captcha_id] = "AB3D"
        body = {"mobile": "13800138000", "purpose": "register", "captcha_id": captcha_id, "captcha_text": "AB3D"}
        answer = client.post("/api/v1/sms-codes", json=body, headers=called_by("sms-service"))
        assert (answer.status_code, answer.json["code"]) == (503, "sms_unavailable")


def test_nothing_in_redis_tells_a_code_or_a_mobile(ask, work, inbox: Inbox, redis: Redis) -> None:
    def dump() -> str:
        everything: list[Any] = []
        for key in redis.keys("*"):
            readers: dict[str, Callable[[str], Any]] = {
                "hash": redis.hgetall,
                "string": redis.get,
                "list": lambda k: redis.lrange(k, 0, -1),
                "zset": lambda k: redis.zrange(k, 0, -1, withscores=True),
                "stream": redis.xrange,
            }
            everything.append((key, readers[redis.type(key)](key)))
        return repr(everything)

    ask()
    before = dump()
    work()
    code = code_in(inbox.messages()[0].text)
    for text in (before, dump()):
        assert "13800138000" not in text
        assert "38001380" not in text
        assert f"'{code}'" not in text
        assert "sms:job:" in text


def test_the_inbox_lists_newest_first_and_by_mobile(client: FlaskClient, ask, work, called_by) -> None:
    ask("13800138000")
    work()
    ask("13900139000")
    work()
    headers = called_by("sms-service", "gateway")
    items = client.get("/internal/inbox/messages", headers=headers).json["items"]
    assert [item["mobile"] for item in items] == ["+8613900139000", "+8613800138000"]
    assert set(items[0]) == {"mobile", "text", "sent_at"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", items[0]["sent_at"])
    one = client.get("/internal/inbox/messages?mobile=138-0013-8000", headers=headers).json["items"]
    assert [item["mobile"] for item in one] == ["+8613800138000"]


def test_there_is_no_inbox_with_another_provider(make_settings, called_by) -> None:
    settings = make_settings(
        routes="yuntongxun", yuntongxun_account_sid="s", yuntongxun_auth_token="t", yuntongxun_app_id="a"
    )
    answer = (
        create_app(settings).test_client().get("/internal/inbox/messages", headers=called_by("sms-service", "gateway"))
    )
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


@pytest.fixture
def down(redis: Redis) -> Callable[..., None]:
    """Let the only provider be down so long, and its breaker open for so long from now."""

    def take_down(*, for_seconds: int, open_seconds: int) -> None:
        now: Any = redis.time()
        fields = {"down_since": (now[0] - for_seconds) * 1000, "open_until": (now[0] + open_seconds) * 1000}
        redis.hset("sms:provider:inbox", mapping=fields)

    return take_down


def test_while_no_provider_works_nothing_is_promised_and_no_captcha_spent(ask, down, captcha_stub) -> None:
    down(for_seconds=151, open_seconds=60)
    answer = ask()
    assert (answer.status_code, answer.json["code"]) == (503, "sms_unavailable")
    assert int(answer.headers["Retry-After"]) > 1
    assert captcha_stub.calls == []


def test_a_provider_that_is_down_for_a_moment_or_due_again_is_trusted(ask, down) -> None:
    down(for_seconds=140, open_seconds=60)
    assert ask("13800138000").status_code == 202
    down(for_seconds=1000, open_seconds=-1)
    assert ask("13900139000").status_code == 202


def test_a_country_that_is_allowed_needs_a_route(make_settings) -> None:
    with pytest.raises(ValidationError, match="leads to no provider for US"):
        make_settings(countries="CN,US", routes="CN=inbox")


def test_budgets_are_shown_and_warned_of(make_codes, log_lines) -> None:
    codes = make_codes(sends_per_day=2, sends_per_minute=4)
    report_budget_use(codes.reserve(Mobile("+8613800138000"), Purpose.LOGIN, subject="", ip="192.0.2.1"))
    assert log_lines == [{"event": "sms_budget_used", "budget": "day", "percent": 50, "log_level": "warning"}]
    assert BUDGET_USED.labels("day")._value.get() == 0.5
    assert BUDGET_USED.labels("minute")._value.get() == 0.25
    assert UNVERIFIED.labels("CN")._value.get() == 1


def test_each_request_shows_the_budgets(make_settings, captcha_address, captcha_stub, called_by) -> None:
    limits = {"sends_per_day": 8, "sends_per_minute": 16}
    client = create_app(make_settings(captcha_service_url=captcha_address, **limits)).test_client()
    captcha_stub.answers["one"] = "AB3D"
    body = {"mobile": "13800138000", "purpose": "register", "captcha_id": "one", "captcha_text": "AB3D"}
    assert client.post("/api/v1/sms-codes", json=body, headers=called_by("sms-service")).status_code == 202
    assert [BUDGET_USED.labels(name)._value.get() for name in ("day", "minute")] == [1 / 8, 1 / 16]


def test_a_right_code_counts_for_its_provider_and_country(ask, consume, work, inbox) -> None:
    before = VERIFIED.labels("inbox", "CN")._value.get()
    ask()
    work()
    [code] = re.findall(r"[0-9]{6}", inbox.messages()[0].text)
    assert consume(code).json["verified"] is True
    assert VERIFIED.labels("inbox", "CN")._value.get() == before + 1


def test_without_a_worker_nothing_is_promised_charged_or_spent(
    ask, living_worker, captcha_stub, keys_of_requests
) -> None:
    living_worker.leave()
    answers = [ask(f"138001380{number:02d}") for number in range(20)]
    assert {(a.status_code, a.json["code"], a.json["errno"], a.headers["Retry-After"]) for a in answers} == {
        (503, "sms_unavailable", "4301", "10")
    }
    assert captcha_stub.calls == []
    assert keys_of_requests() == []
    living_worker.beat(is_idle=True)
    assert ask().status_code == 202


def test_a_worker_that_does_not_keep_up_is_no_promise(ask, living_worker, redis: Redis, now_ms, captcha_stub) -> None:
    assert ask().status_code == 202
    [(oldest, since)] = redis.zrange("sms:waiting", 0, 0, withscores=True)
    redis.zadd("sms:waiting", {oldest: since - 101_000})
    charged = len(captcha_stub.calls)
    answer = ask("13900139000")
    assert (answer.status_code, answer.json["code"], answer.headers["Retry-After"]) == (503, "sms_unavailable", "30")
    assert len(captcha_stub.calls) == charged
    living_worker.beat(is_idle=True)  # The queue is empty: the job was lost.
    assert ask("13900139000").status_code == 202


def test_a_test_number_needs_no_worker(make_settings, called_by, captcha_address, captcha_stub, living_worker) -> None:
    living_worker.leave()
    settings = make_settings(captcha_service_url=captcha_address, test_mobiles="+8613800138000:123456:2999-12-31")
    captcha_stub.answers["one"] = "AB3D"
    body = {"mobile": "13800138000", "purpose": "login", "captcha_id": "one", "captcha_text": "AB3D"}
    client = create_app(settings).test_client()
    assert client.post("/api/v1/sms-codes", json=body, headers=called_by("sms-service")).status_code == 202
