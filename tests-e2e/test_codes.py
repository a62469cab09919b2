"""Captchas and SMS codes: every way in which they can be wrong, used up or too early."""

import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

Get = Callable[..., Any]
PASSWORD = "journey with many codes"


def other_than(code: str) -> str:
    """Return another code of six digits."""
    return f"{(int(code) + 1 + secrets.randbelow(900_000)) % 1_000_000:06}"


def test_a_captcha_is_a_picture_that_stays_the_same(app: Get) -> None:
    captcha = app("POST", "/api/v1/captchas", json={})
    assert captcha.status_code == 201
    assert captcha.json()["expires_in"] == 180
    pictures = [app("GET", captcha.json()["image_url"]) for _ in range(2)]
    assert [picture.status_code for picture in pictures] == [200, 200]
    assert pictures[0].headers["Content-Type"] == "image/png"
    assert pictures[0].headers["Cache-Control"] == "no-store"
    assert pictures[0].content == pictures[1].content


def test_a_captcha_is_a_sound_that_stays_the_same_and_comes_in_parts_too(app: Get) -> None:
    address = app("POST", "/api/v1/captchas", json={}).json()["audio_url"]
    sounds = [app("GET", f"{address}?lang={language}") for language in ("zh", "zh", "en")]
    assert [sound.status_code for sound in sounds] == [200] * 3
    assert sounds[0].headers["Content-Type"] == "audio/wav"
    assert sounds[0].headers["Cache-Control"] == "no-store"
    assert sounds[0].content == sounds[1].content != sounds[2].content
    part = app("GET", address, headers={"Range": "bytes=0-1"})
    assert (part.status_code, part.content) == (206, sounds[0].content[:2])


def test_an_accepted_request_says_when_to_ask_again(ask_code: Get, mobile: str) -> None:
    answer = ask_code(mobile)
    assert answer.status_code == 202
    assert answer.json() == {"expires_in": 300, "resend_after": 60}


def test_a_code_is_texted_once_and_has_six_digits(stack: Any, texted_code: Get, mobile: str) -> None:
    code = texted_code(mobile)
    texts = stack.inbox(mobile)
    assert len(texts) == 1
    assert code in texts[0]["text"]


def test_a_wrong_captcha_answer_gets_no_code(stack: Any, ask_code: Get, solved_captcha: Get, mobile: str) -> None:
    captcha = solved_captcha()
    wrong = ask_code(mobile, captcha_id=captcha["captcha_id"], captcha_text="00000")
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["errno"]) == (400, "captcha_wrong", "4103")
    right_too_late = ask_code(mobile, **captcha)
    assert (right_too_late.status_code, right_too_late.json()["code"]) == (400, "captcha_expired")
    assert stack.inbox(mobile) == []


def test_a_captcha_answer_is_taken_in_lower_case(ask_code: Get, solved_captcha: Get, mobile: str) -> None:
    captcha = solved_captcha()
    lower = captcha["captcha_text"].lower()
    assert ask_code(mobile, captcha_id=captcha["captcha_id"], captcha_text=lower).status_code == 202


def test_a_captcha_opens_one_request(ask_code: Get, solved_captcha: Get, new_mobile: Get) -> None:
    captcha = solved_captcha()
    assert ask_code(new_mobile(), **captcha).status_code == 202
    used = ask_code(new_mobile(), **captcha)
    assert (used.status_code, used.json()["code"], used.json()["errno"]) == (400, "captcha_expired", "4002")


def test_a_device_that_computes_gets_one_code(app: Get, ask_code: Get, new_mobile: Get) -> None:
    issued = app("POST", "/api/v1/captchas", json={"kind": "pow"})
    assert issued.status_code == 201
    captcha_id, challenge = issued.json()["id"], issued.json()["challenge"]
    candidates = (str(n) for n in range(challenge["numbers"]))
    number = next(n for n in candidates if sha256(f"{captcha_id}:{n}".encode()).hexdigest() == challenge["target"])
    answer = {"captcha_id": captcha_id, "captcha_text": number}
    assert ask_code(new_mobile(), **answer).status_code == 202
    used = ask_code(new_mobile(), **answer)
    assert (used.status_code, used.json()["code"]) == (400, "captcha_expired")
    assert app("GET", f"/api/v1/captchas/{captcha_id}/image").status_code == 404


def test_a_guessed_number_gets_no_code(app: Get, ask_code: Get, mobile: str) -> None:
    captcha_id = app("POST", "/api/v1/captchas", json={"kind": "pow"}).json()["id"]
    wrong = ask_code(mobile, captcha_id=captcha_id, captcha_text="-1")
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["errno"]) == (400, "captcha_wrong", "4103")


def test_an_expired_captcha_opens_nothing(stack: Any, ask_code: Get, solved_captcha: Get, mobile: str) -> None:
    captcha = solved_captcha()
    stack.redis_command("PEXPIRE", f"captcha:answer:{captcha['captcha_id']}", "1")
    answer = ask_code(mobile, **captcha)
    assert (answer.status_code, answer.json()["code"]) == (400, "captcha_expired")


def test_T15_a_made_up_captcha_opens_nothing(ask_code: Get, mobile: str) -> None:
    answer = ask_code(mobile, captcha_id="../../healthz", captcha_text="ADG34")
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "wrong", ["", "1", "2380013800", "12345678901", "10086", "+1 650 253 0000 ext. 5", "１３８００１３８００"]
)
def test_what_is_not_a_mobile_gets_no_code(ask_code: Get, wrong: str) -> None:
    answer = ask_code(wrong)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("mobile_invalid", "request_invalid")


def test_a_second_code_within_a_minute_is_refused(ask_code: Get, mobile: str) -> None:
    assert ask_code(mobile).status_code == 202
    early = ask_code(mobile)
    assert (early.status_code, early.json()["code"], early.json()["errno"]) == (429, "too_many_requests", "4201")
    assert 1 <= int(early.headers["Retry-After"]) <= 60
    other_spelling = ask_code(f"+86 {mobile}")
    assert other_spelling.status_code == 429


def test_a_repeated_request_with_its_key_texts_once(app: Get, stack: Any, solved_captcha: Get, mobile: str) -> None:
    headers = {"Idempotency-Key": f"journey-{secrets.token_hex(8)}", "Accept-Language": "en"}
    body = {"mobile": mobile, "purpose": "register", **solved_captcha()}
    answers = [app("POST", "/api/v1/sms-codes", json=body, headers=headers) for _ in range(2)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(202, answers[0].json())] * 2
    other = app("POST", "/api/v1/sms-codes", json=body | {"purpose": "login"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(stack.wait_for_texts(mobile, 1)) == 1


def test_a_country_that_is_not_allowed_gets_no_code(ask_code: Get, solved_captcha: Get, mobile: str) -> None:
    captcha = solved_captcha()
    foreign = ask_code("+44 7400 123456", **captcha)
    assert (foreign.status_code, foreign.json()["code"], foreign.json()["errno"]) == (400, "mobile_invalid", "4103")
    assert ask_code(mobile, **captcha).status_code == 202


def test_a_wrong_code_registers_nobody(app: Get, mobile: str, texted_code: Get) -> None:
    code = texted_code(mobile)
    wrong = app("POST", "/api/v1/users", json={"mobile": mobile, "sms_code": other_than(code), "password": PASSWORD})
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["errno"]) == (400, "sms_code_wrong", "4103")
    right = app("POST", "/api/v1/users", json={"mobile": mobile, "sms_code": code, "password": PASSWORD})
    assert right.status_code == 201


def test_five_wrong_tries_burn_a_code(app: Get, mobile: str, texted_code: Get) -> None:
    code = texted_code(mobile)
    body = {"mobile": mobile, "password": PASSWORD}
    wrong = [app("POST", "/api/v1/users", json={**body, "sms_code": other_than(code)}) for _ in range(5)]
    assert [answer.json()["code"] for answer in wrong] == ["sms_code_wrong"] * 5
    burnt = app("POST", "/api/v1/users", json={**body, "sms_code": code})
    assert (burnt.status_code, burnt.json()["code"], burnt.json()["errno"]) == (400, "sms_code_expired", "4002")


def test_a_code_registers_once(app: Get, mobile: str, texted_code: Get) -> None:
    body = {"mobile": mobile, "sms_code": texted_code(mobile), "password": PASSWORD}
    assert app("POST", "/api/v1/users", json=body).status_code == 201
    assert app("POST", "/api/v1/users", json=body).json()["code"] == "sms_code_expired"


def test_a_code_belongs_to_its_mobile(app: Get, new_mobile: Get, texted_code: Get) -> None:
    body = {"mobile": new_mobile(), "sms_code": texted_code(new_mobile()), "password": PASSWORD}
    assert app("POST", "/api/v1/users", json=body).json()["code"] == "sms_code_expired"


def test_a_code_belongs_to_its_purpose(app: Get, register: Get, texted_code: Get) -> None:
    person = register()
    body = {"mobile": person.mobile, "sms_code": texted_code(person.mobile, "reset_password")}
    assert app("POST", "/api/v1/sessions", json=body).json()["code"] == "credentials_wrong"


@pytest.mark.parametrize("purpose", ["change_mobile", "reauthenticate"])
def test_a_code_for_an_account_needs_a_session(ask_code: Get, mobile: str, purpose: str) -> None:
    answer = ask_code(mobile, purpose)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_the_inbox_is_a_page_too(app: Get, texted_code: Get, mobile: str) -> None:
    texted_code(mobile)
    page = app("GET", "/inbox")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
