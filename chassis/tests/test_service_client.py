import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from chassis import errors
from chassis.identity import Caller, InternalTokens
from chassis.service_client import READ_TIMEOUT_SECONDS, ServiceClient
from chassis.tracing import begin_request, trace_headers


@pytest.fixture
def make_client(internal_tokens: InternalTokens) -> Callable[[str], ServiceClient]:
    return lambda address: ServiceClient(address, name="sms-service", own_name="user-service", tokens=internal_tokens)


@pytest.fixture
def client(fake_service: Any, make_client: Callable[[str], ServiceClient]) -> ServiceClient:
    return make_client(fake_service.address)


@pytest.fixture
def _request() -> Iterator[None]:
    begin_request("the-request", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "vendor=1")
    yield
    structlog.contextvars.clear_contextvars()


def test_an_answer_is_given_back_as_json(fake_service: Any, client: ServiceClient) -> None:
    fake_service.body = '{"items": ["新闻"]}'.encode()
    assert client.call("GET", "/items", params={"a": "1 &"}) == {"items": ["新闻"]}
    assert fake_service.asked[0]["path"] == "/items?a=1+%26"


def test_an_answer_without_a_body_is_none(fake_service: Any, client: ServiceClient) -> None:
    fake_service.status = 204
    assert client.call("GET", "/items") is None


@pytest.mark.usefixtures("_request")
def test_a_call_carries_token_request_id_and_body(
    fake_service: Any, client: ServiceClient, internal_tokens: InternalTokens
) -> None:
    client.call("POST", "/items", json={"a": "新"}, headers={"X-Forwarded-For": "203.0.113.9"})
    (asked,) = fake_service.asked
    token = asked["headers"]["X-Internal-Token"]
    assert internal_tokens.read_token(token, audience="sms-service") == Caller("user-service")
    assert asked["headers"]["X-Request-Id"] == "the-request"
    assert asked["headers"]["X-Forwarded-For"] == "203.0.113.9"
    assert asked["headers"]["Content-Type"] == "application/json"
    assert asked["body"] == b'{"a": "\\u65b0"}'


@pytest.mark.usefixtures("_request")
def test_a_call_hands_the_trace_on(fake_service: Any, client: ServiceClient) -> None:
    client.call("GET", "/items")
    (asked,) = fake_service.asked
    assert asked["headers"]["traceparent"] == trace_headers()["traceparent"]
    assert asked["headers"]["tracestate"] == "vendor=1"


def test_a_call_on_behalf_of_a_user_names_the_user(
    fake_service: Any, client: ServiceClient, internal_tokens: InternalTokens
) -> None:
    user = Caller("gateway", user_id=7, session_id="s", auth_time=1)
    client.call("GET", "/items", caller=user)
    token = fake_service.asked[0]["headers"]["X-Internal-Token"]
    assert internal_tokens.read_token(token, audience="sms-service") == user


def test_no_caller_can_replace_the_token(fake_service: Any, client: ServiceClient) -> None:
    client.call("GET", "/items", headers={"X-Internal-Token": "mine"})
    assert fake_service.asked[0]["headers"].get_all("X-Internal-Token") != ["mine"]


@pytest.mark.parametrize(
    "kind",
    [
        errors.CaptchaWrong,
        errors.Unauthenticated,
        errors.Forbidden,
        errors.NotFound,
        errors.RequestInvalid,
        errors.SmsUnavailable,
        errors.DependencyUnavailable,
        errors.UpstreamTimeout,
    ],
)
def test_a_problem_becomes_the_same_error(
    fake_service: Any, client: ServiceClient, kind: type[errors.XinjingError]
) -> None:
    fake_service.answer_problem(kind("More exactly."))
    with pytest.raises(kind, match="More exactly"):
        client.call("GET", "/items")


def test_a_problem_keeps_its_wait_and_its_fields(fake_service: Any, client: ServiceClient) -> None:
    field = {"field": "mobile", "code": "missing", "detail": "Field required"}
    fake_service.answer_problem(errors.TooManyRequests(), errors=[field])
    fake_service.headers = {"Retry-After": "17"}
    with pytest.raises(errors.TooManyRequests) as raised:
        client.call("GET", "/items")
    assert raised.value.retry_after_seconds == 17
    assert raised.value.errors == (errors.FieldError(**field),)


@pytest.mark.parametrize("kind", [errors.InternalError, errors.InternalTokenRefused, errors.ServiceRefused])
def test_a_fault_between_services_is_never_the_users(
    fake_service: Any, client: ServiceClient, kind: type[errors.XinjingError]
) -> None:
    fake_service.answer_problem(kind())
    with pytest.raises(errors.UpstreamUnavailable):
        client.call("GET", "/items", caller=Caller("gateway", user_id=7, session_id="s", auth_time=1))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>"),
        (200, b"\xff\xfe\xfd"),
        (302, b"{}"),
        (401, b"{}"),
        (404, b"<html>"),
        (400, b"[]"),
        (400, b'{"code": null}'),
        (400, b'{"code": "no_such_code"}'),
        (400, b'{"code": "not_found", "errors": [{"field": 1}]}'),
        (400, b'{"code": "not_found", "errors": 7}'),
        (500, b"null"),
        (503, b'"busy"'),
        (0, b""),
    ],
)
def test_garbage_is_an_upstream_that_is_not_available(
    fake_service: Any, client: ServiceClient, status: int, body: bytes
) -> None:
    fake_service.status, fake_service.body = status, body
    with pytest.raises(errors.UpstreamUnavailable):
        client.call("GET", "/items")


@pytest.mark.parametrize("wait", ["", "soon", "-1", "1.5", "²", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_strange_retry_after_is_left_out(fake_service: Any, client: ServiceClient, wait: str) -> None:
    fake_service.answer_problem(errors.TooManyRequests())
    fake_service.headers = {"Retry-After": wait}
    with pytest.raises(errors.TooManyRequests) as raised:
        client.call("GET", "/items")
    assert raised.value.retry_after_seconds is None


def test_a_service_that_refuses_the_connection_is_away(
    make_client: Callable[[str], ServiceClient], free_port: Callable[[], int]
) -> None:
    with pytest.raises(errors.DependencyUnavailable):
        make_client(f"http://127.0.0.1:{free_port()}").call("GET", "/items")


def test_a_service_whose_name_is_not_known_is_away(make_client: Callable[[str], ServiceClient]) -> None:
    with pytest.raises(errors.DependencyUnavailable):
        make_client("http://stopped.invalid:8000").call("GET", "/items")


def test_a_service_that_does_not_answer_is_a_timeout(fake_service: Any, internal_tokens: InternalTokens) -> None:
    impatient = ServiceClient(
        fake_service.address, name="a", own_name="b", tokens=internal_tokens, read_timeout_seconds=0.1
    )
    fake_service.status = 0  # It hangs up at the end of the test.
    fake_service.answers_when.clear()
    begun = time.monotonic()
    with pytest.raises(errors.UpstreamTimeout):
        impatient.call("GET", "/items")
    assert time.monotonic() - begun < READ_TIMEOUT_SECONDS  # That of clients which name none.


def test_a_call_is_never_sent_twice(fake_service: Any, client: ServiceClient) -> None:
    fake_service.status = 0
    with pytest.raises(errors.UpstreamUnavailable):
        client.call("GET", "/items")
    assert len(fake_service.asked) == 1


def test_cookies_are_not_kept(fake_service: Any, client: ServiceClient) -> None:
    fake_service.headers = {"Set-Cookie": "a=b; Path=/"}
    client.call("GET", "/items")
    client.call("GET", "/items")
    assert "Cookie" not in fake_service.asked[1]["headers"]


def test_redirects_are_not_followed(fake_service: Any, client: ServiceClient) -> None:
    fake_service.status, fake_service.headers = 307, {"Location": fake_service.address + "/elsewhere"}
    assert client.request("GET", "/items").status_code == 307
    assert len(fake_service.asked) == 1


def test_calls_share_a_connection(fake_service: Any, client: ServiceClient) -> None:
    for _ in range(5):
        client.call("GET", "/items")
    assert len(fake_service.connections) == 1


def test_threads_may_share_a_client(fake_service: Any, client: ServiceClient) -> None:
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.extend(client.call("GET", "/items") for _ in range(5)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [{}] * 40
    assert len(fake_service.connections) <= 8


def test_a_service_that_answers_is_up(fake_service: Any, client: ServiceClient) -> None:
    assert client.is_up()
    assert fake_service.asked[0]["path"] == "/healthz"


def test_a_service_that_fails_its_health_check_is_not_up(fake_service: Any, client: ServiceClient) -> None:
    fake_service.status = 500
    with pytest.raises(errors.UpstreamUnavailable):
        client.is_up()
