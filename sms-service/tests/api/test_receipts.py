"""Delivery receipts, from the HTTP edge to the state of a job, on a real Redis."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
import svcs
from flask.testing import FlaskClient
from redis import Redis

from chassis.errors import SmsCodeExpired
from chassis.mobiles import Mobile
from sms_service.api.receipts import Receipts
from sms_service.app import create_app
from sms_service.codes.purposes import Purpose
from sms_service.codes.reservation import Reservation
from sms_service.providers.receipts import Receipt, ReceiptForged, ReceiptMalformed, ReceiptRequest, ReceiptStatus
from sms_service.queue.job import SendJob
from sms_service.routing.breaker import CircuitBreaker, Send
from sms_service.routing.routes import Pace
from sms_service.worker.job_states import Finish, FinishState

SECRET = "a-secret-of-the-tests-and-nothing-else"
MOBILE = Mobile("+8613800138000")


class PlainReader:
    """Reads ``[[status, message id, job id], …]``."""

    acknowledgement: ClassVar[Mapping[str, object]] = MappingProxyType({"code": 0, "msg": "ok"})

    def read_receipts(self, request: ReceiptRequest) -> list[Receipt]:
        if request.headers.get("x-signature") == "forged":
            raise ReceiptForged
        try:
            rows = json.loads(request.body)
        except ValueError as error:
            raise ReceiptMalformed from error
        return [Receipt(ReceiptStatus(status), "DELIVRD", message, job) for status, message, job in rows]


@pytest.fixture
def client(make_settings, redis: Redis) -> FlaskClient:
    app = create_app(make_settings(receipts_secret=SECRET))
    receipts = Receipts(redis, {"plain": PlainReader(), "other": PlainReader()}, secret=SECRET)
    svcs.flask.register_value(app, Receipts, receipts)
    return app.test_client()


@pytest.fixture
def post(client: FlaskClient, called_by) -> Callable[..., Any]:
    def post(*rows: Any, provider: str = "plain", secret: str = SECRET, body: str = "", **headers: str) -> Any:
        address = f"/api/v1/sms/receipts/{provider}/{secret}"
        sent = body or json.dumps(rows)
        return client.post(address, data=sent, headers=called_by("sms-service") | headers)

    return post


@pytest.fixture
def in_hand(make_codes, make_job_states, redis: Redis) -> Callable[[], Reservation]:
    """Bring a job to where a provider has its text and nobody knows how that ended."""

    def begin() -> Reservation:
        codes = make_codes()
        reservation = codes.reserve(MOBILE, Purpose.LOGIN, subject="", ip="192.0.2.1")
        codes.commit(reservation)
        make_job_states().claim(job_of(reservation))
        CircuitBreaker(redis, {"plain": Pace(100, 100)}).acquire(Send(job_of(reservation), "plain"))
        return reservation

    return begin


@pytest.fixture
def finished(in_hand, make_job_states) -> Callable[[FinishState], Reservation]:
    """Bring a job to an end; the provider's message id is ``m1``."""

    def finish(state: FinishState) -> Reservation:
        reservation = in_hand()
        end = Finish(state, outcome=str(state), provider="plain", provider_id="m1")
        make_job_states().finish(job_of(reservation), end)
        return reservation

    return finish


def job_of(reservation: Reservation) -> SendJob:
    return SendJob(reservation.job_id, reservation.mobile_hash, 0, reservation.expires_at, "request-1")


def fields_of(redis: Redis, reservation: Reservation) -> dict[str, str]:
    fields: Any = redis.hgetall(reservation.charged_keys[0])
    return fields


@pytest.mark.parametrize("status", ["delivered", "undelivered", "underway"])
def test_a_receipt_is_kept_with_its_job_and_answered_as_the_provider_expects(post, finished, redis, status) -> None:
    reservation = finished(FinishState.SENT)
    answer = post([status, "m1", ""])
    assert (answer.status_code, answer.json) == (200, {"code": 0, "msg": "ok"})
    fields = fields_of(redis, reservation)
    assert (fields["receipt"], fields["receipt_code"], fields["state"]) == (status, "DELIVRD", "sent")


def test_a_delivered_text_was_sent_whatever_we_thought(post, finished, redis) -> None:
    reservation = finished(FinishState.UNCERTAIN)
    assert post(["delivered", "", reservation.job_id]).status_code == 200
    fields = fields_of(redis, reservation)
    assert fields["state"] == "sent"
    assert not {"mobile_sealed", "code_sealed"} & set(fields)


def test_a_receipt_that_overtakes_the_answer_is_the_truth(post, in_hand, make_job_states, redis) -> None:
    reservation = in_hand()
    post(["delivered", "", reservation.job_id])
    late = Finish(FinishState.RETRY, outcome="uncertain", provider="plain")
    assert make_job_states().finish(job_of(reservation), late) == "sent"
    assert fields_of(redis, reservation)["state"] == "sent"


@pytest.mark.parametrize("state", [FinishState.FAILED, FinishState.SENT])
def test_a_receipt_never_makes_a_code_valid(post, finished, make_codes, redis, state: FinishState) -> None:
    reservation = finished(state)
    redis.delete("sms:otp:none", *redis.keys("sms:otp:*"))  # Used up, burnt, or taken away by a refusal.
    post(["delivered", "m1", reservation.job_id])
    with pytest.raises(SmsCodeExpired):
        make_codes().check(MOBILE, Purpose.LOGIN, code="042619", subject="")


def test_repeated_and_late_receipts_change_nothing(post, finished, redis) -> None:
    reservation = finished(FinishState.SENT)
    for row in (["delivered", "m1", ""], ["delivered", "m1", ""], ["underway", "m1", ""], ["undelivered", "m1", ""]):
        assert post(row).status_code == 200
    assert fields_of(redis, reservation)["receipt"] == "delivered"


def test_receipts_of_other_texts_and_other_providers_are_passed_over(post, finished, redis) -> None:
    reservation = finished(FinishState.SENT)
    assert post(["delivered", "m2", ""], ["delivered", "", "nobody"]).status_code == 200
    assert post(["delivered", "", reservation.job_id], provider="other").status_code == 200
    assert "receipt" not in fields_of(redis, reservation)


def test_everything_that_receipts_leave_expires(post, finished, redis) -> None:
    finished(FinishState.SENT)
    post(["delivered", "m1", ""])
    keys: Any = redis.keys("sms:*")
    assert [key for key in keys if redis.pttl(key) < 0] == []


@pytest.mark.parametrize(
    "wrong", [{"secret": "x" * 40}, {"secret": SECRET[:-1]}, {"secret": "ü"}, {"provider": "nobody"}]
)
def test_another_address_takes_no_receipts(post, finished, redis, wrong: dict[str, str]) -> None:
    reservation = finished(FinishState.SENT)
    answer = post(["delivered", "m1", ""], **wrong)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert "receipt" not in fields_of(redis, reservation)


def test_without_a_secret_there_are_no_receipts(make_settings, called_by) -> None:
    client = create_app(make_settings()).test_client()
    for secret in ("None", "x" * 32):
        answer = client.post(f"/api/v1/sms/receipts/aliyun/{secret}", json=[], headers=called_by("sms-service"))
        assert answer.status_code == 404


def test_forged_and_malformed_receipts_are_refused(post) -> None:
    assert post(["delivered", "m1", ""], **{"X-Signature": "forged"}).json["code"] == "forbidden"
    assert post(body="no JSON").json["code"] == "request_refused"
