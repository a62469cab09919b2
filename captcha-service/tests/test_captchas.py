from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from redis import Redis
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from captcha_service.captchas import ALPHABET, CLASSIC_ALPHABET, folded

Ask = Callable[..., TestResponse]
Attempt = Callable[[str, object], TestResponse]


@pytest.fixture
def captcha_id(redis: Redis) -> str:
    """A captcha whose text is ``ADG34``."""
    redis.set("captcha:answer:xj00", "ADG34", ex=180)
    return "xj00"


def test_the_text_of_the_picture_passes(issue: Ask, attempt: Attempt, redis: Redis) -> None:
    captcha_id = issue().json["id"]
    answer = attempt(captcha_id, redis.get(f"captcha:answer:{captcha_id}"))
    assert (answer.status_code, answer.json) == (200, {"passed": True})


def test_the_text_of_a_classic_picture_passes(bind: Ask, attempt: Attempt, redis: Redis) -> None:
    bind("an-id")
    assert attempt("an-id", redis.get("captcha:answer:an-id")).json == {"passed": True}


@pytest.mark.parametrize(
    "spelling",
    [
        "ADG34",
        "adg34",
        "aDg34",
        " ADG34 ",
        "ＡＤＧ３４",
        "ａｄｇ３４",
        "\u3000ADG34\u3000",
        "A D G 3 4",
        "ADG-34",
        "ADG34\n",
        "ADG3\u0664",  # Arabic-Indic 4
        "\U0001d400DG34",  # mathematical bold A
        "\u24b6DG34",  # A in a circle
        "ADG34\u200b",  # zero-width space
        "\u202eADG34",  # right-to-left override
        "ADG34" + " " * 12,
    ],
)
def test_case_width_spaces_and_the_invisible_do_not_matter(captcha_id: str, attempt: Attempt, spelling: str) -> None:
    assert attempt(captcha_id, spelling).json == {"passed": True}


@pytest.mark.parametrize(
    "trick",
    [
        "",
        " ",
        "ADG3",
        "ADG344",
        "\u0410DG34",  # Cyrillic A
        "A\u0301DG34",  # A with a combining accent
        "ADG34\x1f",
        "ADG34\u00b2",
        "ADG34" + " " * 60,  # right but for its 65 characters
        "A" * 1024,
    ],
)
def test_anything_else_fails(captcha_id: str, attempt: Attempt, trick: str) -> None:
    answer = attempt(captcha_id, trick)
    assert (answer.status_code, answer.json) == (200, {"passed": False})


@pytest.mark.parametrize("reading", ["4GPTUX", "acd7vk", "A6RTUY", "ＡＧＦＴＶＫ"])
def test_what_a_letter_may_be_taken_for_counts_as_the_letter(attempt: Attempt, redis: Redis, reading: str) -> None:
    redis.set("captcha:answer:xj01", "AGPTUX")
    assert attempt("xj01", reading).json == {"passed": True}


@pytest.mark.parametrize(("answer", "reading"), [("AGHM", "46nm"), ("PUX2", "fvyZ"), ("5892", "ｓｂ９ｚ")])
def test_a_classic_answer_counts_look_alikes_too(attempt: Attempt, redis: Redis, answer: str, reading: str) -> None:
    redis.set("captcha:answer:an-id", answer)
    assert attempt("an-id", reading).json == {"passed": True}


@pytest.mark.parametrize("alphabet", [ALPHABET, CLASSIC_ALPHABET])
def test_no_two_answers_count_as_one(alphabet: str) -> None:
    assert folded(alphabet) == alphabet
    assert len(set(alphabet)) == len(alphabet)
    assert len({folded(str(result)) for result in range(100)}) == 100


def test_T14_a_right_attempt_uses_the_captcha_up(captcha_id: str, attempt: Attempt) -> None:
    assert attempt(captcha_id, "ADG34").json == {"passed": True}
    again = attempt(captcha_id, "ADG34")
    assert (again.status_code, again.json["code"], again.json["errno"]) == (400, "captcha_expired", "4002")


@pytest.mark.parametrize("wrong", ["XXXXX", "X" * 65])
def test_T14_a_wrong_attempt_uses_the_captcha_up(captcha_id: str, attempt: Attempt, wrong: str) -> None:
    assert attempt(captcha_id, wrong).json == {"passed": False}
    assert attempt(captcha_id, "ADG34").json["code"] == "captcha_expired"


def test_one_right_text_shown_by_twenty_threads_passes_once(captcha_id: str, attempt: Attempt) -> None:
    together = Barrier(20)

    def show() -> object:
        together.wait()
        answer = attempt(captcha_id, "ADG34")
        return answer.json.get("passed", answer.json.get("code"))

    with ThreadPoolExecutor(20) as threads:
        outcomes = [future.result() for future in [threads.submit(show) for _ in range(20)]]
    assert outcomes.count(True) == 1
    assert outcomes.count("captcha_expired") == 19


def test_an_expired_captcha_is_gone(captcha_id: str, attempt: Attempt, redis: Redis) -> None:
    redis.pexpire(f"captcha:answer:{captcha_id}", 0)
    answer = attempt(captcha_id, "ADG34")
    assert (answer.status_code, answer.json["code"]) == (400, "captcha_expired")


@pytest.mark.parametrize("malformed", ["unknown", "a" * 65, "a" * 5000, "a_b", "a%0A", "%E2%80%AE", "answer:x", "*"])
def test_an_unknown_or_malformed_id_is_like_an_expired_one(attempt: Attempt, malformed: str) -> None:
    answer = attempt(malformed, "ADG34")
    assert (answer.status_code, answer.json["code"]) == (400, "captcha_expired")


def test_no_log_line_holds_a_text(issue: Ask, attempt: Attempt, redis: Redis) -> None:
    with capture_logs() as lines:
        captcha_id = issue().json["id"]
        text = redis.get(f"captcha:answer:{captcha_id}")
        attempt(captcha_id, text)
    assert len(lines) == 2
    assert text not in str(lines)
