import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from redis import Redis
from werkzeug.test import TestResponse

from captcha_service.captchas import ALPHABET, CLASSIC_ALPHABET

Ask = Callable[..., TestResponse]
Headers = Callable[..., dict[str, str]]


def test_an_issued_captcha_says_where_it_is_seen_and_heard_and_how_long_it_lives(issue: Ask) -> None:
    answer = issue()
    captcha_id = answer.json["id"]
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json == {
        "id": captcha_id,
        "kind": "picture",
        "content": "text",
        "image_url": f"/api/v1/captchas/{captcha_id}/image",
        "audio_url": f"/api/v1/captchas/{captcha_id}/audio",
        "expires_in": 180,
    }


def test_ids_hold_128_random_bits_and_are_classic_ids_too(issue: Ask) -> None:
    assert re.fullmatch(r"xj[0-9a-f]{38}", issue().json["id"])
    assert issue().json["id"] != issue().json["id"]


def test_the_answer_stands_in_redis_as_plain_text_for_180_seconds(issue: Ask, redis: Redis) -> None:
    key = f"captcha:answer:{issue().json['id']}"
    text = redis.get(key)
    assert len(text) == 6
    assert set(text) <= set(ALPHABET)
    assert 175 < redis.ttl(key) <= 180


def test_an_address_gets_twenty_captchas_a_minute(issue: Ask) -> None:
    statuses = [issue().status_code for _ in range(21)]
    assert statuses == [201] * 20 + [429]
    assert issue("198.51.100.2").status_code == 201


def test_a_refusal_says_when_to_come_back(make_app: Callable[..., OpenAPI], from_gateway: Headers) -> None:
    client = make_app(issues_per_ip_per_minute=1).test_client()
    client.post("/api/v1/captchas", json={}, headers=from_gateway())
    refused = client.post("/api/v1/captchas", json={}, headers=from_gateway())
    assert refused.status_code == 429
    assert refused.json["code"] == "too_many_requests"
    assert 55 <= int(refused.headers["Retry-After"]) <= 61


def test_a_refused_request_stores_nothing(
    make_app: Callable[..., OpenAPI], from_gateway: Headers, redis: Redis
) -> None:
    client = make_app(issues_per_ip_per_minute=1).test_client()
    for _ in range(5):
        client.post("/api/v1/captchas", json={}, headers=from_gateway())
    assert len(redis.keys("captcha:answer:*")) == 1


@pytest.mark.parametrize(
    ("first", "second", "third"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", 429),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", 201),
        ("::ffff:198.51.100.7", "198.51.100.7", 429),
        ("not an address", "another", 429),
    ],
)
def test_an_ipv6_client_is_its_64_bit_network(
    make_app: Callable[..., OpenAPI], from_gateway: Headers, first: str, second: str, third: int
) -> None:
    client = make_app(issues_per_ip_per_minute=1).test_client()
    assert client.post("/api/v1/captchas", json={}, headers=from_gateway(first)).status_code == 201
    assert client.post("/api/v1/captchas", json={}, headers=from_gateway(second)).status_code == third


def test_all_addresses_together_have_a_limit_and_leave_nothing_behind_it(
    make_app: Callable[..., OpenAPI], from_gateway: Headers, redis: Redis
) -> None:
    client = make_app(issues_per_minute=3).test_client()
    answers = [
        client.post("/api/v1/captchas", json={}, headers=from_gateway(f"198.51.100.{number}")) for number in range(9)
    ]
    assert [answer.status_code for answer in answers] == [201] * 3 + [429] * 6
    assert {answer.json["code"] for answer in answers[3:]} == {"too_many_requests"}
    assert all(0 < int(answer.headers["Retry-After"]) <= 61 for answer in answers[3:])
    assert len(redis.keys("*")) == 2 * 3 + 1  # An answer and a count for each that was let in, and the count of all.


def test_what_an_address_is_refused_is_not_counted_for_all(
    make_app: Callable[..., OpenAPI], from_gateway: Headers
) -> None:
    client = make_app(issues_per_ip_per_minute=1, issues_per_minute=2).test_client()
    for _ in range(5):
        client.post("/api/v1/captchas", json={}, headers=from_gateway())
    other = client.post("/api/v1/captchas", json={}, headers=from_gateway("198.51.100.2"))
    assert other.status_code == 201


def test_an_address_gets_ten_classic_captchas_a_minute(bind: Ask) -> None:
    statuses = [bind("an-id").status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    assert bind("an-id", "198.51.100.2").status_code == 200


def test_a_classic_captcha_counts_as_two_of_the_one_limit(issue: Ask, bind: Ask) -> None:
    for _ in range(9):
        assert bind("an-id").status_code == 200
    assert issue().status_code == 201
    assert bind("an-id").status_code == 429
    assert issue().status_code == 201
    assert issue().status_code == 429


def test_a_classic_captcha_counts_as_two_for_all_addresses_together(
    make_app: Callable[..., OpenAPI], from_gateway: Headers
) -> None:
    client = make_app(issues_per_minute=5).test_client()
    statuses = [
        client.put("/internal/captchas/an-id", headers=from_gateway(f"198.51.100.{number}")).status_code
        for number in range(3)
    ]
    assert statuses == [200, 200, 429]
    assert client.post("/api/v1/captchas", json={}, headers=from_gateway()).status_code == 201


@pytest.mark.parametrize("limit", ["issues_per_ip_per_minute", "issues_per_minute"])
def test_a_limit_of_one_still_gives_one_classic_captcha(
    make_app: Callable[..., OpenAPI], from_gateway: Headers, limit: str
) -> None:
    client = make_app(**{limit: 1}).test_client()
    statuses = [client.put("/internal/captchas/an-id", headers=from_gateway()).status_code for _ in range(2)]
    assert statuses == [200, 429]


@pytest.mark.parametrize("content", ["text", "arithmetic"])
def test_a_classic_captcha_asks_for_four_letters_or_digits(
    make_app: Callable[..., OpenAPI], from_gateway: Headers, redis: Redis, content: str
) -> None:
    client = make_app(content=content, issues_per_ip_per_minute=99).test_client()
    for _ in range(20):
        client.put("/internal/captchas/an-id", headers=from_gateway())
        text = redis.get("captcha:answer:an-id")
        assert len(text) == 4
        assert set(text) <= set(CLASSIC_ALPHABET)


def test_the_limit_keeps_its_keys_under_the_captcha_prefix_and_for_a_minute(issue: Ask, redis: Redis) -> None:
    issue()
    keys = redis.keys("*")
    assert all(key.startswith("captcha:") for key in keys)
    assert all(0 < redis.ttl(key) <= 180 for key in keys)


def test_a_classic_client_can_read_the_whole_picture_from_its_own_id(bind: Ask, redis: Redis) -> None:
    answer = bind("5f0c5a3e-0000-4000-8000-000000000000")
    assert answer.status_code == 200
    assert answer.content_type == "image/jpeg"
    assert answer.headers["Cache-Control"] == "no-store"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert 270 < redis.ttl("captcha:answer:5f0c5a3e-0000-4000-8000-000000000000") <= 300


def test_binding_an_id_again_replaces_the_captcha(bind: Ask, redis: Redis) -> None:
    seen = set()
    for _ in range(4):
        bind("an-id")
        seen.add(redis.get("captcha:answer:an-id"))
    assert len(seen) > 1


def test_dropping_a_classic_captcha_is_idempotent(
    client: FlaskClient, bind: Ask, from_gateway: Headers, redis: Redis
) -> None:
    bind("an-id")
    for _ in range(2):
        assert client.delete("/internal/captchas/an-id", headers=from_gateway()).status_code == 204
    assert redis.keys("captcha:answer:*") == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    ("classic_id", "status"),
    [("a" * 65, 422), ("a_b", 422), ("a%0A", 422), ("%EF%BC%A1", 422), ("xj" + "0" * 32, 404)],
)
def test_an_id_that_is_not_a_classic_one_is_refused(
    client: FlaskClient, from_gateway: Headers, redis: Redis, method: str, classic_id: str, status: int
) -> None:
    answer = client.open(f"/internal/captchas/{classic_id}", method=method, headers=from_gateway())
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert redis.keys("captcha:answer:*") == []


def test_a_classic_client_can_not_touch_an_issued_captcha(
    client: FlaskClient, issue: Ask, bind: Ask, from_gateway: Headers, redis: Redis
) -> None:
    captcha_id = issue().json["id"]
    text = redis.get(f"captcha:answer:{captcha_id}")
    assert bind(captcha_id).status_code == 404
    assert client.delete(f"/internal/captchas/{captcha_id}", headers=from_gateway()).status_code == 404
    assert redis.get(f"captcha:answer:{captcha_id}") == text
