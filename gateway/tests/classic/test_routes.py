"""The classic passport calls: aliases, texts, errno, always HTTP 200."""

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

PICTURE_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.mark.parametrize("path", ["/passport/image_code", "/passport/imageCode"])
@pytest.mark.parametrize("name", ["imageCodeId", "code_id", "cur_id", "image_Code", "image_code_id"])
def test_a_picture_is_bound_to_the_frontends_id(
    gateway: Any, services: Any, answering: Callable[..., bytes], path: str, name: str
) -> None:
    services.captcha.on(
        "PUT", f"/internal/captchas/{PICTURE_ID}", answering("200 OK", b"jpeg", "Content-Type: image/jpeg")
    )
    answer = gateway.ask("GET", f"{path}?{name}={PICTURE_ID}")
    assert (answer.status, answer.body) == (200, b"jpeg")
    assert answer.value("Content-Type") == "image/jpeg"
    assert answer.value("Cache-Control") == "private, no-store"
    assert services.captcha.last.values("X-Forwarded-For") == ["127.0.0.1"]


def test_the_previous_picture_is_dropped(gateway: Any, services: Any, answering: Callable[..., bytes]) -> None:
    services.captcha.on("PUT", "/internal/captchas/new", answering("200 OK", b"jpeg", "Content-Type: image/jpeg"))
    services.captcha.on("DELETE", "/internal/captchas/old", b"HTTP/1.1 204 NO CONTENT\r\n\r\n")
    assert gateway.ask("GET", "/passport/image_code?cur_id=new&pre_id=old").status == 200
    assert services.captcha.count("DELETE", "/internal/captchas/old") == 1


@pytest.mark.parametrize(
    "query", ["", "?imageCodeId=", "?imageCodeId=a/b", "?imageCodeId=" + "a" * 65, "?imageCodeId=a%0a"]
)
def test_a_picture_without_a_good_id_is_400(gateway: Any, services: Any, query: str) -> None:
    assert gateway.ask("GET", f"/passport/image_code{query}").status == 400
    assert services.captcha.requests == []


def test_a_picture_that_cannot_be_drawn_is_500(gateway: Any, services: Any, answering: Callable[..., bytes]) -> None:
    services.captcha.on("PUT", "/internal/captchas/x", answering("503 AWAY", b"{}", "Content-Type: application/json"))
    assert gateway.ask("GET", "/passport/image_code?imageCodeId=x").status == 500


def test_a_picture_counts_as_two_captchas(start_gateway: Any, services: Any, answering: Callable[..., bytes]) -> None:
    services.captcha.on("PUT", "/internal/captchas/x", answering("200 OK", b"jpeg", "Content-Type: image/jpeg"))
    gateway = start_gateway(captchas_per_ip_per_minute="5")
    statuses = [gateway.ask("GET", "/passport/image_code?imageCodeId=x").status for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert gateway.send_json("POST", "/api/v1/captchas", {}).status == 200


def test_a_limit_of_one_still_gives_one_picture(
    start_gateway: Any, services: Any, answering: Callable[..., bytes]
) -> None:
    services.captcha.on("PUT", "/internal/captchas/x", answering("200 OK", b"jpeg", "Content-Type: image/jpeg"))
    gateway = start_gateway(captchas_per_ip_per_minute="1")
    assert [gateway.ask("GET", "/passport/image_code?imageCodeId=x").status for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("path", ["/passport/sms_code", "/passport/smscode"])
def test_a_code_is_asked_for_registering(
    gateway: Any, services: Any, answering_json: Callable[..., bytes], path: str
) -> None:
    services.sms.on("POST", "/api/v1/sms-codes", answering_json({"expires_in": 300}, "202 ACCEPTED"))
    body = {"mobile": 13800138000, "image_code": "AB3D", "image_code_id": PICTURE_ID}
    answer = gateway.send_json("POST", path, body)
    assert (answer.status, answer.json) == (200, {"errno": "0", "errmsg": "发送短信成功"})
    sent = services.sms.last
    assert sent.body == (
        b'{"mobile": "13800138000", "purpose": "register", "captcha_id": "%s", "captcha_text": "AB3D"}'
        % PICTURE_ID.encode()
    )


@pytest.mark.parametrize("name", ["sms_code", "smscode"])
def test_registering_signs_in(
    gateway: Any,
    services: Any,
    tokens_of: Callable[..., Any],
    answering_json: Callable[..., bytes],
    name: str,
) -> None:
    services.user.on("POST", "/api/v1/users", answering_json(tokens_of(), "201 CREATED"))
    answer = gateway.send_json("POST", "/passport/register", {"mobile": "1", name: "123456", "password": "secret-1"})
    assert (answer.status, answer.json) == (200, {"errno": "0", "errmsg": "注册成功"})
    assert services.user.last.body == b'{"mobile": "1", "sms_code": "123456", "password": "secret-1"}'
    names = [value.partition("=")[0] for value in answer.values("Set-Cookie")]
    assert sorted(names) == ["__Host-xinjing_at", "__Host-xinjing_rt", "csrf_token"]


@pytest.mark.parametrize("name", ["password", "passport"])
def test_logging_in_signs_in(
    gateway: Any, services: Any, tokens_of: Callable[..., Any], answering_json: Callable[..., bytes], name: str
) -> None:
    services.user.on("POST", "/api/v1/sessions", answering_json(tokens_of(), "201 CREATED"))
    answer = gateway.send_json("POST", "/passport/login", {"mobile": "1", name: "secret-1"})
    assert (answer.status, answer.json) == (200, {"errno": "0", "errmsg": "登录成功"})
    assert services.user.last.body == b'{"mobile": "1", "password": "secret-1"}'


@pytest.mark.parametrize(
    ("method", "proof"),
    [
        ("GET", {"Referer": "http://127.0.0.1:{port}/news"}),
        ("GET", {"Sec-Fetch-Site": "same-origin"}),
        ("POST", {}),
        ("POST", {"Origin": "http://127.0.0.1:{port}"}),
    ],
    ids=["old-browser-get", "get", "no-browser-post", "post"],
)
def test_logging_out_ends_the_session_and_clears_the_cookies(
    gateway: Any, services: Any, sign: Callable[..., str], method: str, proof: dict[str, str]
) -> None:
    services.user.on("DELETE", "/api/v1/sessions/current", b"HTTP/1.1 204 NO CONTENT\r\n\r\n")
    proof = {name: value.replace("{port}", str(gateway.port)) for name, value in proof.items()}
    cookie = f"__Host-xinjing_at={sign(sid='classic' + method + '-'.join(proof))}; csrf_token=ab"
    answer = gateway.ask(method, "/passport/logout", headers={"Cookie": cookie, **proof})
    assert (answer.status, answer.json) == (200, {"errno": "0", "errmsg": "退出成功"})
    assert services.user.count("DELETE", "/api/v1/sessions/current") == 1
    assert all("Max-Age=0" in value for value in answer.values("Set-Cookie"))
    assert gateway.ask("GET", "/api/v1/users/me", headers={"Cookie": cookie}).status == 401


@pytest.mark.parametrize(
    "headers", [{}, {"Referer": "http://evil.example/"}, {"Referer": "http://127.0.0.1.evil.example/"}]
)
def test_a_link_on_another_site_signs_nobody_out(
    gateway: Any, services: Any, sign: Callable[..., str], headers: dict[str, str]
) -> None:
    """Over plain HTTP a browser says of a link at most its Referer, and the page with the link can forbid that."""
    cookie = f"__Host-xinjing_at={sign(sid='stays')}; __Host-xinjing_rt=r; csrf_token=ab"
    answer = gateway.ask("GET", "/passport/logout", headers={"Cookie": cookie, **headers})
    assert (answer.status, answer.json["errno"]) == (200, "4201")
    assert (services.user.requests, answer.values("Set-Cookie")) == ([], [])


def test_logging_out_without_a_session_is_fine(gateway: Any, services: Any) -> None:
    assert gateway.ask("GET", "/passport/logout").json["errno"] == "0"
    assert services.user.requests == []


@pytest.mark.parametrize(
    ("path", "body", "errmsg"),
    [
        ("/passport/sms_code", {"mobile": "1", "image_code": "a"}, "缺少必传参数"),
        ("/passport/sms_code", {}, "缺少必传参数"),
        ("/passport/register", {"mobile": "1", "sms_code": "1"}, "缺少必传参数"),
        ("/passport/register", {"mobile": "", "sms_code": "1", "password": "x"}, "缺少必传参数"),
        ("/passport/login", {"mobile": "1"}, "缺少参数"),
        ("/passport/login", {"mobile": ["1"], "password": "x"}, "参数错误"),
        ("/passport/login", [], "参数错误"),
        ("/passport/login", "text", "参数错误"),
    ],
)
def test_bad_input_is_4103_with_the_classic_text(
    gateway: Any, services: Any, path: str, body: Any, errmsg: str
) -> None:
    answer = gateway.send_json("POST", path, body)
    assert (answer.status, answer.json) == (200, {"errno": "4103", "errmsg": errmsg})
    assert [stub.requests for stub in services.each()] == [[], [], [], []]


def test_a_body_that_is_no_json_is_4103(gateway: Any) -> None:
    answer = gateway.ask("POST", "/passport/login", body=b"mobile=1", headers={"Content-Type": "application/json"})
    assert (answer.status, answer.json) == (200, {"errno": "4103", "errmsg": "参数错误"})


@pytest.mark.parametrize(
    "sent",
    [
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"Content-Length: 9\r\n\r\n{}",
    ],
    ids=["malformed", "without the last chunk", "shorter than declared"],
)
@pytest.mark.parametrize("call", ["sms_code", "smscode", "register", "login"])
def test_a_body_that_breaks_off_is_4103(gateway: Any, services: Any, call: str, sent: bytes) -> None:
    with gateway.connect() as connection:
        connection.sendall(f"POST /passport/{call} HTTP/1.1\r\nHost: h\r\n".encode() + sent)
        connection.shutdown(socket.SHUT_WR)
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body) == {"errno": "4103", "errmsg": "参数错误"}
    assert [stub.requests for stub in services.each()] == [[], [], [], []]


CLASSIC_CALLS = ("sms_code", "smscode", "register", "login")


@pytest.mark.parametrize("call", CLASSIC_CALLS)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"mobile": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001,
        b'{"mobile": "1", "password": NaN}',
        b'{"mobile": -Infinity}',
        b'{"mobile": "1", "mobile": "2"}',
        b'{"mobile": "\\ud800"}',
        b'{"mobile": "1\\u0000"}',
        b'{"mobile": "\xff"}',
        b'{"mobile": ' + b"1" * 5000 + b"}",
        '{"mobile": "1"}'.encode("utf-16"),
        b"",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_the_api_would_not_read_is_4103(gateway: Any, services: Any, call: str, body: bytes) -> None:
    answer = gateway.ask("POST", f"/passport/{call}", body=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.json) == (200, {"errno": "4103", "errmsg": "参数错误"})
    assert [stub.requests for stub in services.each()] == [[], [], [], []]


def test_a_byte_order_mark_before_classic_fields_is_ignored(gateway: Any, services: Any) -> None:
    answer = gateway.ask("POST", "/passport/login", body=b'\xef\xbb\xbf{"mobile": "1"}')
    assert answer.json == {"errno": "4103", "errmsg": "缺少参数"}


@pytest.mark.parametrize(
    ("path", "service", "operation", "code", "expected"),
    [
        ("sms_code", "sms", "/api/v1/sms-codes", "captcha_wrong", ("4103", "验证码输入有误")),
        ("sms_code", "sms", "/api/v1/sms-codes", "captcha_expired", ("4002", "图片验证码不存在")),
        ("sms_code", "sms", "/api/v1/sms-codes", "mobile_invalid", ("4103", "手机号格式错误")),
        ("sms_code", "sms", "/api/v1/sms-codes", "sms_unavailable", ("4301", "发送短信失败")),
        ("sms_code", "sms", "/api/v1/sms-codes", "too_many_requests", ("4201", "请求过于频繁，请稍后再试")),
        ("register", "user", "/api/v1/users", "sms_code_wrong", ("4103", "验证码输入错误")),
        ("register", "user", "/api/v1/users", "sms_code_expired", ("4002", "短信验证码不存在")),
        ("register", "user", "/api/v1/users", "mobile_taken", ("4003", "手机号已注册")),
        ("register", "user", "/api/v1/users", "password_rejected", ("4103", "密码不符合要求")),
        ("login", "user", "/api/v1/sessions", "credentials_wrong", ("4103", "用户名或密码错误")),
        ("login", "user", "/api/v1/sessions", "captcha_required", ("4103", "请输入图片验证码")),
        ("login", "user", "/api/v1/sessions", "password_reset_required", ("4103", "请先重置密码")),
        ("login", "user", "/api/v1/sessions", "no_such_code", ("4301", "服务暂时不可用")),
    ],
)
def test_the_services_refusals_become_errno(
    gateway: Any,
    services: Any,
    answering_json: Callable[..., bytes],
    path: str,
    service: str,
    operation: str,
    code: str,
    expected: tuple[str, str],
) -> None:
    getattr(services, service).on("POST", operation, answering_json({"code": code, "detail": "x"}, "400 NO"))
    fields = ["mobile", "image_code", "image_code_id", "sms_code", "password"]
    answer = gateway.send_json("POST", f"/passport/{path}", dict.fromkeys(fields, "x"))
    assert (answer.status, answer.json) == (200, {"errno": expected[0], "errmsg": expected[1]})


def test_a_refused_password_says_why(gateway: Any, services: Any, answering_json: Callable[..., bytes]) -> None:
    wrong = [{"field": "password", "code": code, "detail": "x"} for code in ("too_short", "date", "a_newer_code")]
    problem = answering_json({"code": "password_rejected", "detail": "x", "errors": wrong}, "422 NO")
    services.user.on("POST", "/api/v1/users", problem)
    fields = {"mobile": "1", "sms_code": "1", "password": "900101"}
    answer = gateway.send_json("POST", "/passport/register", fields)
    errmsg = "密码不符合要求：至少 8 个字符（首尾空格和不可见字符不计）；主要是日期，容易被猜到，请加上几个不相关的词"
    assert (answer.status, answer.json) == (200, {"errno": "4103", "errmsg": errmsg})


@pytest.mark.parametrize(
    ("headers", "errno"),
    [
        ({"Sec_Fetch_Site": "cross-site"}, "4201"),
        ({"Origin": "https://evil.example"}, "4201"),
        ({"Referer": "https://evil.example/page"}, "4201"),
        ({"Sec_Fetch_Site": "same-origin"}, "4103"),
        ({}, "4103"),
    ],
)
def test_pages_of_other_sites_are_refused(gateway: Any, headers: dict[str, str], errno: str) -> None:
    answer = gateway.send_json("POST", "/passport/login", {}, **headers)
    assert (answer.status, answer.json["errno"]) == (200, errno)


def test_the_csrf_cookie_is_hex_and_set_once(gateway: Any) -> None:
    first = gateway.send_json("POST", "/passport/login", {})
    value = first.value("Set-Cookie").partition(";")[0].partition("=")[2]
    assert len(bytes.fromhex(value)) == 16
    second = gateway.send_json("POST", "/passport/login", {}, Cookie=f"csrf_token={value}")
    assert second.values("Set-Cookie") == []


def test_a_classic_body_that_is_too_large_is_an_errno(gateway: Any) -> None:
    answer = gateway.ask("POST", "/passport/login", body=b"x" * (1024 * 1024 + 1))
    assert (answer.status, answer.json["errno"]) == (200, "4103")
