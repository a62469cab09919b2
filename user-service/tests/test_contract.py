import json

import pytest

from chassis.web import Access, openapi_document

REGISTER = {"mobile": "13800138000", "sms_code": "031415", "password": "correct horse battery"}
LOGIN = {"mobile": "13800138000", "password": "correct horse battery"}
pytestmark = pytest.mark.any_database  # Shapes do not depend on it.


def test_every_view_says_who_may_call_it(app):
    silent = [
        rule.rule for rule in app.url_map.iter_rules() if not hasattr(app.view_functions[rule.endpoint], "access")
    ]
    assert silent == []


def test_the_access_of_every_route_is_the_decided_one(app):
    access = {
        (method, rule.rule): app.view_functions[rule.endpoint].access
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith("/static")
    }
    assert access == {
        ("GET", "/healthz"): Access.UNAUTHENTICATED,
        ("GET", "/readyz"): Access.UNAUTHENTICATED,
        ("GET", "/internal/openapi.json"): Access.SERVICE,
        ("GET", "/internal/users"): Access.SERVICE,
        ("POST", "/internal/users/imported"): Access.SERVICE,
        ("GET", "/.well-known/jwks.json"): Access.PUBLIC,
        ("POST", "/api/v1/users"): Access.PUBLIC,
        ("GET", "/api/v1/users/<int:user_id>"): Access.PUBLIC,
        ("GET", "/api/v1/users/me"): Access.SIGNED_IN,
        ("PATCH", "/api/v1/users/me"): Access.SIGNED_IN,
        ("DELETE", "/api/v1/users/me"): Access.SIGNED_IN,
        ("PUT", "/api/v1/users/me/password"): Access.SIGNED_IN,
        ("PUT", "/api/v1/users/me/mobile"): Access.SIGNED_IN,
        ("PUT", "/api/v1/users/me/avatar"): Access.SIGNED_IN,
        ("DELETE", "/api/v1/users/me/avatar"): Access.SIGNED_IN,
        ("GET", "/api/v1/avatars/<name>"): Access.PUBLIC,
        ("POST", "/api/v1/password-resets"): Access.PUBLIC,
        ("POST", "/api/v1/sessions"): Access.PUBLIC,
        ("GET", "/api/v1/sessions"): Access.SIGNED_IN,
        ("DELETE", "/api/v1/sessions"): Access.SIGNED_IN,
        ("DELETE", "/api/v1/sessions/current"): Access.SIGNED_IN,
        ("DELETE", "/api/v1/sessions/<session_id>"): Access.SIGNED_IN,
        ("POST", "/api/v1/reauthentications"): Access.SIGNED_IN,
        ("POST", "/api/v1/tokens/refresh"): Access.PUBLIC,
        ("GET", "/api/v1/admin/users"): Access.ADMIN,
        ("GET", "/api/v1/admin/users/<int:user_id>"): Access.ADMIN,
        ("GET", "/api/v1/admin/users/<int:user_id>/mobile"): Access.ADMIN,
        ("PUT", "/api/v1/admin/users/<int:user_id>/ban"): Access.ADMIN,
        ("DELETE", "/api/v1/admin/users/<int:user_id>/ban"): Access.ADMIN,
        ("DELETE", "/api/v1/admin/users/<int:user_id>/sessions"): Access.ADMIN,
        ("POST", "/api/v1/admin/users/<int:user_id>/password-reset-required"): Access.ADMIN,
        ("GET", "/api/v1/admin/audit-events"): Access.ADMIN,
        ("POST", "/api/v1/admin/revoke-all"): Access.ADMIN,
    }


def test_the_checked_in_document_is_up_to_date(app, check_openapi):
    check_openapi("user-service", openapi_document(app))


def test_the_service_is_ready_on_its_parts(app):
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 200
    assert set(answer.json["checks"].values()) == {"up"}


def test_without_redis_it_is_not_ready(app_without_redis):
    assert app_without_redis.test_client().get("/readyz").status_code == 503


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/api/v1/users", {}, {"mobile", "sms_code", "password"}),
        (
            "/api/v1/users",
            {"mobile": 1, "sms_code": 2, "password": None},
            {"mobile", "sms_code", "password"},
        ),
        ("/api/v1/users", {**REGISTER, "is_admin": True}, {"is_admin"}),
        ("/api/v1/users", {**REGISTER, "password": "x" * 1025}, {"password"}),
        ("/api/v1/users", {**REGISTER, "nick_name": "a\u0007b"}, {"nick_name"}),
        ("/api/v1/users", {**REGISTER, "mobile": "1" * 65}, {"mobile"}),
        ("/api/v1/sessions", {"mobile": "13800138000"}, {"body"}),
        ("/api/v1/sessions", {**LOGIN, "sms_code": "1"}, {"body"}),
        ("/api/v1/sessions", {**LOGIN, "password": ["x"]}, {"password"}),
        ("/api/v1/sessions", {**LOGIN, "captcha_id": "xj00"}, {"body"}),
        ("/api/v1/sessions", {**LOGIN, "captcha_text": "AB3D"}, {"body"}),
        (
            "/api/v1/sessions",
            {"mobile": "13800138000", "sms_code": "1", "captcha_id": "xj00", "captcha_text": "AB3D"},
            {"body"},
        ),
        ("/api/v1/sessions", {**LOGIN, "create_user": True}, {"body"}),
        ("/api/v1/sessions", {"mobile": "1", "sms_code": "1", "create_user": "yes"}, {"create_user"}),
        ("/api/v1/password-resets", {}, {"mobile", "sms_code", "password"}),
        ("/api/v1/password-resets", {**REGISTER, "sms_code": 1, "user_id": 1}, {"sms_code", "user_id"}),
        ("/api/v1/tokens/refresh", {}, {"refresh_token"}),
        ("/api/v1/sessions", {"password": "x"}, {"mobile"}),
        ("/api/v1/tokens/refresh", {"refresh_token": "x" * 257}, {"refresh_token"}),
    ],
)
def test_a_body_of_the_wrong_shape_names_every_wrong_field(visitor, path, body, fields):
    answer = visitor.call("POST", path, body)
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert {error["field"] for error in answer.json["errors"]} == fields


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"gender": "OTHER"}, {"gender"}),
        ({"mobile": "13800138000"}, {"mobile"}),
        ({"signature": "x" * 513, "nick_name": ""}, {"signature", "nick_name"}),
        ({"signature": "\u0007"}, {"signature"}),
        ({"nick_name": "13800138000"}, {"nick_name"}),
    ],
)
def test_a_profile_change_of_the_wrong_shape_is_refused(owner, body, fields):
    answer = owner.call("PATCH", "/api/v1/users/me", body)
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert {error["field"] for error in answer.json["errors"]} == fields


@pytest.mark.parametrize("query", ["?limit=0", "?limit=101", "?limit=x", "?cursor=A"])
def test_a_wrong_page_is_refused(owner, query):
    assert owner.call("GET", "/api/v1/sessions" + query).status_code == 422


@pytest.mark.parametrize(
    "path", ["/api/v1/users", "/api/v1/sessions", "/api/v1/tokens/refresh", "/api/v1/password-resets"]
)
def test_a_body_that_is_no_json_object_is_refused(app, called_by, path):
    client, headers = app.test_client(), called_by("user-service")
    texts = ["", "{", "null", "[]", '"text"', '{"password": "\\ud800"}']
    answers = [client.post(path, data=text, content_type="application/json", headers=headers) for text in texts]
    assert [answer.json["code"] for answer in answers] == ["body_malformed"] * 6
    form = client.post(path, data={"mobile": "13800138000"}, headers=headers)
    assert (form.status_code, form.json["code"]) == (415, "media_type_unsupported")


@pytest.mark.parametrize("path", ["/api/v1/users", "/api/v1/sessions", "/api/v1/password-resets"])
@pytest.mark.parametrize("mobile", ["12345", "13800138000\x01", "一三八00138000", "+19005550123", "010 6552 9988", "a"])
def test_a_text_that_is_no_mobile_is_refused(visitor, path, mobile):
    body = {**(LOGIN if path.endswith("sessions") else REGISTER), "mobile": mobile}
    answer = visitor.call("POST", path, body)
    assert (answer.status_code, answer.json["code"], answer.json["errno"]) == (400, "mobile_invalid", "4103")


def test_nothing_is_answered_without_an_internal_token(app):
    client = app.test_client()
    assert client.post("/api/v1/sessions", json=LOGIN).status_code == 401
    assert client.get("/api/v1/users/1", headers={"X-User-Id": "1"}).status_code == 401
    assert client.get("/api/v1/users/1", headers={"Authorization": "Bearer x"}).status_code == 401


def test_problems_hold_no_internals(visitor):
    text = json.dumps(visitor.call("POST", "/api/v1/sessions", LOGIN).json)
    assert "sqlalchemy" not in text.lower()
    assert "13800138000" not in text


@pytest.mark.parametrize(
    ("path", "body"),
    [("/api/v1/sessions", LOGIN), ("/api/v1/users", REGISTER), ("/api/v1/tokens/refresh", {"refresh_token": "x"})],
)
def test_T43_credentials_in_the_query_string_are_not_read(visitor, register, path, body):
    register()
    query = "&".join(f"{name}={value}" for name, value in body.items())
    answer = visitor.call("POST", f"{path}?{query}", {})
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert {error["field"] for error in answer.json["errors"]} >= {next(iter(body))}


def test_T43_answers_with_credentials_or_personal_data_stay_out_of_caches(owner, log_in, refresh, admin):
    tokens = log_in()
    answers = [
        tokens,
        refresh(tokens.json["refresh_token"]),
        log_in(password="something else"),
        owner.call("GET", "/api/v1/users/me"),
        owner.call("GET", "/api/v1/sessions"),
        owner.call("GET", "/api/v1/admin/users"),
        admin.call("GET", "/api/v1/admin/users"),
        admin.call("GET", "/api/v1/admin/users/1/mobile"),
        admin.call("GET", "/api/v1/admin/audit-events"),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 401, 200, 200, 403, 200, 200, 200]
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
