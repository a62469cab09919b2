"""ProofOfWork of work: one attempt ever, and nothing but our own untouched, living challenges."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from redis import Redis
from werkzeug.test import TestResponse

from captcha_service.proof_of_work import Challenge, ProofOfWork
from captcha_service.settings import Settings
from chassis.errors import CaptchaExpired, DependencyUnavailable
from chassis.redis_client import connect_redis

Headers = Callable[..., dict[str, str]]
Attempt = Callable[[str, object], TestResponse]
KEY = b"a key of the tests"


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def proofs(redis: Redis, clock: Clock) -> ProofOfWork:
    return ProofOfWork(redis=redis, key=KEY, work_bits=10, clock=clock)


@pytest.fixture
def challenge(proofs: ProofOfWork) -> Challenge:
    return proofs.issue(ttl_seconds=180)


def solved(challenge: Challenge) -> str:
    """Count, as a device does."""
    return solution(challenge.challenge_id, challenge.target, challenge.numbers)


def solution(challenge_id: str, target: str, numbers: int) -> str:
    return next(str(n) for n in range(numbers) if sha256(f"{challenge_id}:{n}".encode()).hexdigest() == target)


@pytest.fixture
def ask_work(make_app: Callable[..., OpenAPI], from_gateway: Headers) -> Callable[..., dict[str, Any]]:
    """Ask a service whose work is small for a proof of work."""

    def ask(**changes: object) -> dict[str, Any]:
        client = make_app(work_bits=10, **changes).test_client()
        answer = client.post("/api/v1/captchas", json={"kind": "pow"}, headers=from_gateway())
        assert answer.status_code == 201
        assert answer.headers["Cache-Control"] == "no-store"
        issued: dict[str, Any] = answer.json
        return issued

    return ask


def test_a_challenge_says_all_that_a_device_needs(ask_work: Callable[..., dict[str, Any]]) -> None:
    issued = ask_work()
    assert re.fullmatch(r"xjp0a[0-9a-f]{56}", issued["id"])
    assert re.fullmatch(r"[0-9a-f]{64}", issued["challenge"]["target"])
    challenge = {"algorithm": "SHA-256", "target": issued["challenge"]["target"], "numbers": 1024}
    assert issued == {"id": issued["id"], "kind": "pow", "challenge": challenge, "expires_in": 180}


def test_an_issued_challenge_leaves_nothing_in_redis(ask_work: Callable[..., dict[str, Any]], redis: Redis) -> None:
    ask_work()
    assert [key for key in redis.keys("*") if not key.startswith("captcha:issues")] == []


def test_the_number_of_a_challenge_passes_at_another_process(
    ask_work: Callable[..., dict[str, Any]], attempt: Attempt
) -> None:
    issued = ask_work()
    number = solution(issued["id"], issued["challenge"]["target"], 1024)
    assert attempt(issued["id"], number).json == {"passed": True}
    again = attempt(issued["id"], number)
    assert (again.status_code, again.json["code"], again.json["errno"]) == (400, "captcha_expired", "4002")


def test_a_process_with_another_key_knows_nothing_of_it(redis: Redis, challenge: Challenge, clock: Clock) -> None:
    other = ProofOfWork(redis=redis, key=b"another key", work_bits=10, clock=clock)
    with pytest.raises(CaptchaExpired):
        other.attempt(challenge.challenge_id, solved(challenge))
    assert redis.keys("*") == []


def test_challenges_and_pictures_share_one_limit(client: FlaskClient, from_gateway: Headers) -> None:
    kinds = ["pow", "picture"] * 10 + ["pow"]
    statuses = [client.post("/api/v1/captchas", json={"kind": kind}, headers=from_gateway()) for kind in kinds]
    assert [answer.status_code for answer in statuses] == [201] * 20 + [429]


@pytest.mark.parametrize("kind", ["", "POW", "audio", "pow ", None, 1, ["pow"]])
def test_an_unknown_kind_is_named(client: FlaskClient, from_gateway: Headers, kind: object) -> None:
    answer = client.post("/api/v1/captchas", json={"kind": kind}, headers=from_gateway())
    assert answer.status_code == 422
    assert [wrong["field"] for wrong in answer.json["errors"]] == ["kind"]


def test_a_challenge_has_no_picture(
    client: FlaskClient, from_gateway: Headers, ask_work: Callable[..., dict[str, Any]]
) -> None:
    answer = client.get(f"/api/v1/captchas/{ask_work()['id']}/image", headers=from_gateway())
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_classic_client_can_not_take_the_id_of_a_challenge(
    client: FlaskClient, from_gateway: Headers, redis: Redis, challenge: Challenge, method: str
) -> None:
    for taken in (challenge.challenge_id, "xjp", "xj", "xj-anything"):
        assert client.open(f"/internal/captchas/{taken}", method=method, headers=from_gateway()).status_code == 404
    assert redis.keys("captcha:answer:*") == []


def test_every_number_can_be_the_answer(proofs: ProofOfWork) -> None:
    answers = {int(solved(proofs.issue(ttl_seconds=180))) for _ in range(300)}
    assert min(answers) < 1024 / 10
    assert max(answers) > 1024 * 9 / 10
    assert max(answers) < 1024
    assert len(answers) > 200  # About 260 different ones of 300, if all are equally likely.


@given(work_bits=st.integers(0, 11))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_challenge_is_solved_by_counting_and_by_nothing_less(redis: Redis, work_bits: int) -> None:
    proofs = ProofOfWork(redis=redis, key=KEY, work_bits=work_bits)
    challenge = proofs.issue(ttl_seconds=180)
    assert len(challenge.challenge_id) == 61
    assert challenge.numbers == 2**work_bits
    assert proofs.attempt(challenge.challenge_id, solved(challenge))


def test_work_that_takes_two_hexadecimal_digits_to_write_is_solved_by_counting(redis: Redis, clock: Clock) -> None:
    proofs = ProofOfWork(redis=redis, key=KEY, work_bits=16, clock=clock)
    challenges = [proofs.issue(ttl_seconds=180) for _ in range(8)]
    assert {challenge.numbers for challenge in challenges} == {65536}
    assert all(proofs.attempt(challenge.challenge_id, solved(challenge)) for challenge in challenges)


def test_one_right_number_shown_by_twenty_threads_passes_once(proofs: ProofOfWork, challenge: Challenge) -> None:
    number, together = solved(challenge), Barrier(20)

    def show() -> bool | None:
        together.wait()
        try:
            return proofs.attempt(challenge.challenge_id, number)
        except CaptchaExpired:
            return None

    with ThreadPoolExecutor(20) as threads:
        outcomes = [future.result() for future in [threads.submit(show) for _ in range(20)]]
    assert sorted(outcomes, key=str) == [None] * 19 + [True]


@pytest.mark.parametrize("place", range(61))
def test_a_challenge_changed_anywhere_is_not_ours(
    proofs: ProofOfWork, challenge: Challenge, redis: Redis, place: int
) -> None:
    genuine = challenge.challenge_id
    other = "0" if genuine[place] != "0" else "1"
    forged = genuine[:place] + other + genuine[place + 1 :]
    with pytest.raises(CaptchaExpired):
        proofs.attempt(forged, solved(challenge))
    assert redis.keys("*") == []
    assert proofs.attempt(genuine, solved(challenge))


def test_less_work_and_more_time_can_not_be_written_into_a_challenge(proofs: ProofOfWork, challenge: Challenge) -> None:
    bits, expiry, rest = challenge.challenge_id[3:5], challenge.challenge_id[5:13], challenge.challenge_id[13:]
    assert int(bits, 16) == 10
    for forged in (f"xjp00{expiry}{rest}", f"xjp{bits}ffffffff{rest}", f"xjp{bits}{expiry}{rest[:16]}{'0' * 32}"):
        with pytest.raises(CaptchaExpired):
            proofs.attempt(forged, "0")


@pytest.mark.parametrize(
    "malformed", ["", "xjp", "xjp" + "0" * 57, "xjp" + "0" * 59, "xjp" + "g" * 58, "xjp" + "0" * 58 + "\n", "é" * 61]
)
def test_a_malformed_id_is_like_an_expired_one(proofs: ProofOfWork, redis: Redis, malformed: str) -> None:
    with pytest.raises(CaptchaExpired):
        proofs.attempt(malformed, "0")
    assert redis.keys("*") == []


def test_a_challenge_in_capitals_is_not_ours(attempt: Attempt, challenge: Challenge) -> None:
    assert attempt(challenge.challenge_id.upper(), solved(challenge)).json["code"] == "captcha_expired"


def test_a_challenge_ends_with_its_last_second(proofs: ProofOfWork, clock: Clock) -> None:
    early, late = proofs.issue(ttl_seconds=180), proofs.issue(ttl_seconds=180)
    clock.now += 180
    assert proofs.attempt(early.challenge_id, solved(early))
    clock.now += 1
    with pytest.raises(CaptchaExpired):
        proofs.attempt(late.challenge_id, solved(late))


def test_without_redis_no_number_passes(proofs: ProofOfWork, tmp_path: Path) -> None:
    challenge = proofs.issue(ttl_seconds=180)
    cut_off = ProofOfWork(redis=connect_redis(f"unix://{tmp_path}/nobody.sock"), key=KEY, work_bits=10)
    with pytest.raises(DependencyUnavailable):
        cut_off.attempt(challenge.challenge_id, solved(challenge))


def test_a_used_challenge_is_remembered_longer_than_it_could_be_used(
    proofs: ProofOfWork, clock: Clock, redis: Redis
) -> None:
    challenge = proofs.issue(ttl_seconds=180)
    clock.now += 170
    proofs.attempt(challenge.challenge_id, "wrong")
    assert redis.keys("*") == [f"captcha:spent:{challenge.challenge_id}"]
    assert 65 < redis.ttl(f"captcha:spent:{challenge.challenge_id}") <= 71


def test_a_challenge_used_in_its_last_second_is_remembered_for_the_whole_difference_of_clocks(
    proofs: ProofOfWork, challenge: Challenge, clock: Clock, redis: Redis
) -> None:
    clock.now += 180
    proofs.attempt(challenge.challenge_id, "wrong")
    assert 60_000 < redis.pttl(f"captcha:spent:{challenge.challenge_id}") <= 61_000


@pytest.mark.parametrize("shape", ["{}", " {} ", "\u3000{}", "{}\n", "\u2068{}\u2069", "{}\u200b"])
def test_outer_spaces_do_not_matter(proofs: ProofOfWork, challenge: Challenge, shape: str) -> None:
    assert proofs.attempt(challenge.challenge_id, shape.format(solved(challenge)))


def test_the_width_of_digits_does_not_matter(proofs: ProofOfWork, challenge: Challenge) -> None:
    wide = "".join(chr(ord(digit) - ord("0") + ord("０")) for digit in solved(challenge))
    assert proofs.attempt(challenge.challenge_id, wide)


@pytest.mark.parametrize(
    "shape",
    [
        "",
        "0{}",
        "+{}",
        "-{}",
        "{}.0",
        "0x{}",
        "{} 0",
        "{}e0",
        "{}\u0660",
        "{}\u00b2",
        "{}" + " " * 16,
        "1" * 99,
    ],
)
def test_any_other_spelling_fails_and_uses_the_challenge_up(
    proofs: ProofOfWork, challenge: Challenge, shape: str
) -> None:
    number = solved(challenge)
    assert not proofs.attempt(challenge.challenge_id, shape.format(number))
    with pytest.raises(CaptchaExpired):
        proofs.attempt(challenge.challenge_id, number)


@given(text=st.text(max_size=1024))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_but_the_number_passes(redis: Redis, text: str) -> None:
    proofs = ProofOfWork(redis=redis, key=KEY, work_bits=26)
    challenge_id = proofs.issue(ttl_seconds=180).challenge_id
    assert not proofs.attempt(challenge_id, text)


def test_letters_like_digits_are_no_digits(redis: Redis, clock: Clock) -> None:
    proofs = ProofOfWork(redis=redis, key=KEY, work_bits=1, clock=clock)
    answers = {0: "O", 1: "I"}
    for _ in range(10):
        challenge = proofs.issue(ttl_seconds=180)
        assert not proofs.attempt(challenge.challenge_id, answers[int(solved(challenge))])


@pytest.mark.parametrize("work_bits", [9, 27])
def test_the_work_has_bounds(redis_url: str, internal_token_key: str, work_bits: int) -> None:
    with pytest.raises(ValidationError, match="work_bits"):
        Settings(redis_url=redis_url, internal_token_key=SecretStr(internal_token_key), work_bits=work_bits)
