"""The passport calls of the course's frontends: every alias, every errno, always HTTP 200."""

import io
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

Get = Callable[..., Any]
Expected = tuple[int, str, str]
PASSWORD = "classic journey 1"


@pytest.fixture
def call(browser_client: Get) -> Callable[..., Expected]:
    """Make a passport call as the frontends do, and return status, errno and errmsg."""

    def post(path: str, **params: Any) -> Expected:
        headers = {"X-Requested-With": "XMLHttpRequest", "Content-Type": "application/json"}
        answer = browser_client("POST", f"/passport/{path}", data=json.dumps(params), headers=headers)
        assert set(answer.json()) <= {"errno", "errmsg", "data"}
        return answer.status_code, answer.json()["errno"], answer.json()["errmsg"]

    return post


@pytest.fixture
def seen_captcha(browser_client: Get, stack: Any) -> Callable[..., dict[str, str]]:
    """Load a picture under an id made in the browser, and return the fields that answer it."""

    def see(path: str = "image_code", name: str = "imageCodeId") -> dict[str, str]:
        code_id = str(uuid.uuid4())
        picture = browser_client("GET", f"/passport/{path}", params={name: code_id})
        assert picture.status_code == 200, picture.text
        assert picture.headers["Content-Type"] == "image/jpeg"
        assert "no-store" in picture.headers["Cache-Control"]
        return {"image_code": stack.captcha_answer(code_id), "image_code_id": code_id}

    return see


@pytest.fixture
def classic_code(call: Get, seen_captcha: Get, stack: Any) -> Callable[[str], str]:
    """Have a code texted by the passport call and read it."""

    def get(mobile: str) -> str:
        assert call("sms_code", mobile=mobile, **seen_captcha()) == (200, "0", "发送短信成功")
        text = stack.wait_for_texts(mobile, 1)[0]["text"]
        return next(
            part for part in "".join(c if c.isascii() and c.isdigit() else " " for c in text).split() if len(part) == 6
        )

    return get


def is_signed_in(client: Get) -> bool:
    return bool(client("GET", "/api/v1/users/me").status_code == 200)


@pytest.mark.parametrize("key", ["sms_code", "smscode"])
def test_registering_signs_in(browser_client: Get, call: Get, classic_code: Get, mobile: str, key: str) -> None:
    registered = call("register", mobile=mobile, password=PASSWORD, **{key: classic_code(mobile)})
    assert registered == (200, "0", "注册成功")
    assert is_signed_in(browser_client)


@pytest.mark.parametrize("key", ["password", "passport"])
def test_logging_in_signs_in(browser_client: Get, call: Get, register: Get, key: str) -> None:
    person = register()
    assert call("login", mobile=person.mobile, **{key: person.password}) == (200, "0", "登录成功")
    assert is_signed_in(browser_client)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("GET", {}),
        ("POST", {}),
        ("POST", {"data": {"user_face": "false"}}),
        ("POST", {"data": "", "headers": {"Content-Type": "application/json"}}),
    ],
)
def test_logging_out_ends_the_session(
    browser_client: Get, call: Get, register: Get, method: str, options: dict[str, Any]
) -> None:
    person = register()
    call("login", mobile=person.mobile, password=person.password)
    token = browser_client.http.cookies.get("xinjing_at")
    answer = browser_client(method, "/passport/logout", **options)
    assert (answer.status_code, answer.json()) == (200, {"errno": "0", "errmsg": "退出成功"})
    assert not is_signed_in(browser_client)
    browser_client.http.cookies.clear()
    end = time.monotonic() + 5
    while browser_client("GET", "/api/v1/users/me", token=token).status_code != 401:
        assert time.monotonic() < end, "the token is still good after five seconds"
        time.sleep(0.05)


def test_logging_out_without_a_session_is_no_error(browser_client: Get) -> None:
    answer = browser_client("GET", "/passport/logout")
    assert (answer.status_code, answer.json()["errno"]) == (200, "0")


@pytest.mark.parametrize("path", ["image_code", "imageCode"])
@pytest.mark.parametrize("name", ["imageCodeId", "code_id", "cur_id", "image_Code", "image_code_id"])
def test_the_picture_has_every_name_of_the_frontends(seen_captcha: Get, path: str, name: str) -> None:
    assert len(seen_captcha(path, name)["image_code"]) == 4


def test_the_picture_has_twice_the_pixels_that_the_frontends_show(browser_client: Get) -> None:
    answer = browser_client("GET", "/passport/image_code", params={"imageCodeId": str(uuid.uuid4())})
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (160, 60))


def test_the_previous_picture_is_forgotten(browser_client: Get, seen_captcha: Get, stack: Any) -> None:
    previous = seen_captcha()["image_code_id"]
    browser_client("GET", "/passport/image_code", params={"cur_id": str(uuid.uuid4()), "pre_id": previous})
    assert stack.redis_command("EXISTS", f"captcha:answer:{previous}") == 0


def test_loading_a_picture_again_under_one_id_makes_a_new_one(browser_client: Get) -> None:
    code_id = str(uuid.uuid4())
    pictures = {
        browser_client("GET", "/passport/image_code", params={"imageCodeId": code_id}).content for _ in range(3)
    }
    assert len(pictures) > 1  # One in 14,641 has the text of the one before it, and is the same picture.


@pytest.mark.parametrize("params", [{}, {"imageCodeId": ""}, {"imageCodeId": "a" * 65}, {"imageCodeId": "../x"}])
def test_a_picture_without_a_proper_id_is_a_400(browser_client: Get, params: dict[str, str]) -> None:
    assert browser_client("GET", "/passport/image_code", params=params).status_code == 400


def test_the_other_address_of_the_sms_call_works(call: Get, seen_captcha: Get, mobile: str) -> None:
    assert call("smscode", mobile=mobile, **seen_captcha()) == (200, "0", "发送短信成功")


def test_a_captcha_answer_is_taken_in_lower_case(call: Get, seen_captcha: Get, mobile: str) -> None:
    captcha = seen_captcha()
    lower = captcha | {"image_code": captcha["image_code"].lower()}
    assert call("sms_code", mobile=mobile, **lower) == (200, "0", "发送短信成功")


def test_a_wrong_captcha_is_used_up(call: Get, seen_captcha: Get, mobile: str) -> None:
    captcha = seen_captcha()
    assert call("sms_code", mobile=mobile, **captcha | {"image_code": "00000"}) == (200, "4103", "验证码输入有误")
    assert call("sms_code", mobile=mobile, **captcha) == (200, "4002", "图片验证码不存在")


def test_an_unknown_captcha(call: Get, mobile: str) -> None:
    unknown = call("sms_code", mobile=mobile, image_code="ADG34", image_code_id=str(uuid.uuid4()))
    assert unknown == (200, "4002", "图片验证码不存在")


@pytest.mark.parametrize("missing", ["mobile", "image_code", "image_code_id"])
@pytest.mark.parametrize("empty", [True, False])
def test_an_sms_call_without_all_fields(call: Get, seen_captcha: Get, mobile: str, missing: str, empty: bool) -> None:
    fields: dict[str, Any] = {"mobile": mobile, **seen_captcha()}
    fields = fields | {missing: ""} if empty else {name: value for name, value in fields.items() if name != missing}
    assert call("sms_code", **fields) == (200, "4103", "缺少必传参数")


@pytest.mark.parametrize("malformed", ["1", "23800138000", "138001380001", "1380013800\n", "１３８００１３８００"])
def test_a_malformed_mobile(call: Get, seen_captcha: Get, malformed: str) -> None:
    expected = (200, "4103", "手机号格式错误")
    assert call("sms_code", mobile=malformed, **seen_captcha()) == expected
    assert call("register", mobile=malformed, sms_code="000000", password=PASSWORD) == expected
    assert call("login", mobile=malformed, password=PASSWORD) == expected


def test_a_second_sms_within_a_minute(call: Get, seen_captcha: Get, mobile: str) -> None:
    call("sms_code", mobile=mobile, **seen_captcha())
    status, errno, errmsg = call("sms_code", mobile=mobile, **seen_captcha())
    assert (status, errno) == (200, "4201")
    assert errmsg


@pytest.mark.parametrize("missing", ["mobile", "password", "sms_code"])
def test_registering_without_all_fields(call: Get, mobile: str, missing: str) -> None:
    fields = {"mobile": mobile, "password": PASSWORD, "sms_code": "000000"}
    fields.pop(missing)
    assert call("register", **fields) == (200, "4103", "缺少必传参数")


def test_registering_without_a_code_that_was_sent(call: Get, mobile: str) -> None:
    answer = call("register", mobile=mobile, password=PASSWORD, sms_code="000000")
    assert answer == (200, "4002", "短信验证码不存在")


def test_registering_with_a_wrong_code(call: Get, classic_code: Get, mobile: str) -> None:
    wrong = f"{(int(classic_code(mobile)) + 1) % 1_000_000:06}"
    assert call("register", mobile=mobile, password=PASSWORD, sms_code=wrong) == (200, "4103", "验证码输入错误")


@pytest.mark.parametrize(
    ("password", "reason"), [("a1b2c3", "至少 8 个字符"), ("woaini123", "常见的词、姓名或数字"), ("19900101", "日期")]
)
def test_a_refused_password_says_why(call: Get, mobile: str, password: str, reason: str) -> None:
    status, errno, errmsg = call("register", mobile=mobile, password=password, sms_code="000000")
    assert (status, errno) == (200, "4103")
    assert reason in errmsg


def test_registering_a_mobile_twice(call: Get, register: Get, stack: Any, seen_captcha: Get) -> None:
    person = register()
    for key in stack.redis_command("KEYS", "sms:cool:*"):
        stack.redis_command("DEL", key)  # A minute has passed.
    call("sms_code", mobile=person.mobile, **seen_captcha())
    text = stack.wait_for_texts(person.mobile, 2)[0]["text"]
    code = next(text[i : i + 6] for i in range(len(text)) if text[i : i + 6].isdecimal() and len(text[i : i + 6]) == 6)
    assert call("register", mobile=person.mobile, password=PASSWORD, sms_code=code) == (200, "4003", "手机号已注册")


@pytest.mark.parametrize("missing", ["mobile", "password"])
def test_logging_in_without_all_fields(call: Get, mobile: str, missing: str) -> None:
    fields = {"mobile": mobile, "password": PASSWORD}
    fields.pop(missing)
    assert call("login", **fields) == (200, "4103", "缺少参数")


def test_an_unknown_mobile_and_a_wrong_password_look_the_same(call: Get, register: Get, mobile: str) -> None:
    expected = (200, "4103", "用户名或密码错误")
    assert call("login", mobile=mobile, password=PASSWORD) == expected
    assert call("login", mobile=register().mobile, password=PASSWORD) == expected


@pytest.mark.parametrize("path", ["sms_code", "register", "login"])
@pytest.mark.parametrize(
    "body", ["", "null", "[]", "{", '"text"', "5", '{"mobile": 5, "password": {}, "sms_code": []}']
)
def test_a_body_of_the_wrong_shape_is_still_an_errno(browser_client: Get, path: str, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = browser_client("POST", f"/passport/{path}", data=body, headers=headers)
    assert (answer.status_code, answer.json()["errno"]) == (200, "4103")
    assert answer.json()["errmsg"]


def test_another_site_can_not_log_a_browser_in(browser_client: Get, register: Get) -> None:
    person = register()
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
    login = {"mobile": person.mobile, "password": person.password}
    answer = browser_client("POST", "/passport/login", json=login, headers=headers)
    assert (answer.status_code, answer.json()["errno"]) == (200, "4201")
    assert not is_signed_in(browser_client)


def test_after_three_failures_a_classic_login_is_told_to_answer_a_captcha(call: Get, register: Get) -> None:
    person = register()
    answers = [call("login", mobile=person.mobile, password="not the password") for _ in range(4)]
    assert answers == [(200, "4103", "用户名或密码错误")] * 3 + [(200, "4103", "请输入图片验证码")]
