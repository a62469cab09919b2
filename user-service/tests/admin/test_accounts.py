from datetime import timedelta

import pytest
import svcs

from user_service.sessions.sessions import last_session_id
from user_service.tokens.revocations import Revocations

ADMIN_MOBILE = "+8613700137000"
MOBILE = "+8613800138000"
CODE = "271828"
BAN = {"reason": "spam"}
EVERY_CALL = [
    ("GET", "/users"),
    ("GET", "/users/1"),
    ("GET", "/users/1/mobile"),
    ("PUT", "/users/1/ban"),
    ("DELETE", "/users/1/ban"),
    ("DELETE", "/users/1/sessions"),
    ("POST", "/users/1/password-reset-required"),
    ("GET", "/audit-events"),
    ("POST", "/revoke-all"),
]
FRESH_CALLS = [call for call in EVERY_CALL if call[0] != "GET" or call[1].endswith("mobile")]


@pytest.fixture
def act(admin):
    """Call as the administrator."""
    return lambda method, path, body=None: admin.call(method, f"/api/v1/admin{path}", body)


def body_for(path):
    return BAN if path.endswith("/ban") else None


@pytest.mark.any_database
@pytest.mark.parametrize(("method", "path"), EVERY_CALL)
def test_only_administrators_administer(visitor, owner, method, path):
    nobody = visitor.call(method, f"/api/v1/admin{path}", body_for(path))
    somebody = owner.call(method, f"/api/v1/admin{path}", body_for(path))
    assert (nobody.status_code, somebody.status_code) == (401, 403)


@pytest.mark.any_database
@pytest.mark.parametrize(("method", "path"), FRESH_CALLS)
def test_what_changes_something_or_shows_a_mobile_needs_a_fresh_proof(act, register, clock, method, path, audit):
    register()
    clock.move(seconds=301)
    before = len(audit())
    answer = act(method, path, body_for(path))
    assert (answer.status_code, answer.json["code"]) == (401, "step_up_required")
    assert "insufficient_user_authentication" in answer.headers["WWW-Authenticate"]
    assert len(audit()) == before


@pytest.mark.any_database
@pytest.mark.parametrize(("method", "path"), [call for call in EVERY_CALL if "/1" in call[1]])
def test_an_account_that_does_not_exist_is_404(act, method, path):
    assert act(method, path.replace("/1", "/999"), body_for(path)).status_code == 404


def test_users_are_found_by_mobile_and_by_the_beginning_of_their_name(act, register):
    register(nick_name="林间读者")
    register(mobile="+8613900139000", nick_name="林间_人")
    register(mobile="+8613600136000", nick_name="别人")
    by_mobile = act("GET", "/users?mobile=138 0013 8000").json
    assert [user["nick_name"] for user in by_mobile["items"]] == ["林间读者"]
    assert by_mobile["items"][0]["mobile"] == "+86138****8000"
    names = [user["nick_name"] for user in act("GET", "/users?nick_name=林间").json["items"]]
    assert names == ["林间读者", "林间_人"]
    assert [user["nick_name"] for user in act("GET", "/users?nick_name=林间_").json["items"]] == ["林间_人"]
    assert act("GET", "/users?mobile=%2B8613512345678").json == {"items": [], "next_cursor": None}


@pytest.mark.any_database
def test_users_are_found_by_what_is_copied_from_a_message(act, register):
    register(nick_name="Abc 林间")
    for query in ("mobile=%E2%81%A8138%C2%A00013%E2%80%918000%E2%81%A9", "nick_name=Ａｂｃ%E3%80%80林%E2%80%8B间"):
        assert [user["nick_name"] for user in act("GET", f"/users?{query}").json["items"]] == ["Abc 林间"]
    assert act("GET", "/users?nick_name=%E2%80%8B").status_code == 422


@pytest.mark.any_database
def test_a_deleted_account_is_found_by_its_placeholder(act, register, change_user):
    register()
    change_user(nick_name="已注销用户（1）")
    assert len(act("GET", "/users?nick_name=已注销用户（1）").json["items"]) == 1


@pytest.mark.any_database
def test_the_reason_of_a_ban_can_be_seen(act, register):
    user_id = register().json["user"]["id"]
    assert act("PUT", f"/users/{user_id}/ban", {"reason": "\u3164\u200b"}).status_code == 422
    assert act("PUT", f"/users/{user_id}/ban", {"reason": "\u202e刷屏"}).status_code == 200
    assert act("GET", f"/users/{user_id}").json["ban"]["reason"] == "刷屏"


def test_users_come_in_pages(act, register):
    for number in range(3):
        register(mobile=f"+861380013810{number}")
    first = act("GET", "/users?limit=3").json
    assert [user["id"] for user in first["items"]] == [1, 2, 3]
    second = act("GET", f"/users?limit=3&cursor={first['next_cursor']}").json
    assert ([user["id"] for user in second["items"]], second["next_cursor"]) == ([4], None)


@pytest.mark.any_database
@pytest.mark.parametrize(
    "query", ["users?limit=0", "users?cursor=x", "audit-events?event=A%0A", "audit-events?user_id=0"]
)
def test_a_wrong_query_is_422(act, query):
    assert act("GET", f"/{query}").status_code == 422


def test_a_user_is_shown_with_a_masked_mobile(act, register, clock):
    user_id = register().json["user"]["id"]
    shown = act("GET", f"/users/{user_id}").json
    now = clock.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert shown == {
        "id": user_id,
        "nick_name": shown["nick_name"],
        "mobile": "+86138****8000",
        "roles": [],
        "created_at": now,
        "last_login": now,
        "ban": None,
        "must_reset_password": False,
        "deleted_at": None,
    }


def test_a_look_at_a_whole_mobile_is_audited(act, register, audit):
    user_id = register().json["user"]["id"]
    assert act("GET", f"/users/{user_id}/mobile").json == {"mobile": MOBILE}
    (line,) = audit("mobile_read")
    assert (line.user_id, line.actor_id, line.mobile_masked) == (user_id, 1, "+86138****8000")


def test_a_ban_keeps_out_and_ends_sessions_until_it_runs_out(
    act, register, log_in, log_in_by_code, refresh, clock, revoked, audit, sms_service
):
    tokens = register().json
    user_id = tokens["user"]["id"]
    until = clock.now + timedelta(days=7)
    answer = act("PUT", f"/users/{user_id}/ban", {"reason": "spam", "until": until.isoformat()})
    assert answer.status_code == 200
    assert answer.json["ban"] == {"until": until.strftime("%Y-%m-%dT%H:%M:%SZ"), "reason": "spam"}
    assert log_in().json["code"] == "credentials_wrong"
    sms_service.live[MOBILE, "login"] = CODE
    assert log_in_by_code().json["code"] == "credentials_wrong"
    assert refresh(tokens["refresh_token"]).json["code"] == "unauthenticated"
    assert [entry["kind"] for entry in revoked()] == ["user"]
    (line,) = audit("user_banned")
    assert (line.user_id, line.actor_id) == (user_id, 1)
    assert line.detail.endswith("spam")
    clock.move(days=7)
    assert log_in().status_code == 201


def test_a_ban_without_an_end_is_for_ever_until_it_is_lifted(act, register, log_in, clock, audit):
    user_id = register().json["user"]["id"]
    assert act("PUT", f"/users/{user_id}/ban", BAN).json["ban"] == {"until": None, "reason": "spam"}
    clock.move(days=40_000)
    assert log_in().status_code == 401
    clock.move(days=-40_000)
    assert [act("DELETE", f"/users/{user_id}/ban").status_code for _ in range(2)] == [204, 204]
    assert log_in().status_code == 201
    assert act("GET", f"/users/{user_id}").json["ban"] is None
    assert len(audit("user_unbanned")) == 1


def test_a_ban_that_comes_during_a_refresh_refuses_it(register, refresh, change_user, clock):
    tokens = register().json
    change_user(banned_until=clock.now + timedelta(days=1))
    assert refresh(tokens["refresh_token"]).status_code == 401
    change_user(banned_until=None)
    assert refresh(tokens["refresh_token"]).status_code == 200
    change_user(deleted_at=clock.now)
    assert refresh(tokens["refresh_token"]).status_code == 401


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason": "a\x1bb"}, "reason"),
        ({"reason": "x", "until": "2020-01-01T00:00:00Z"}, "until"),
        ({"reason": "x", "until": "2999-01-01T00:00:00"}, "until"),
        ({"reason": "x", "until": "soon"}, "until"),
    ],
)
def test_a_ban_of_the_wrong_shape_is_refused(act, register, log_in, body, field):
    user_id = register().json["user"]["id"]
    answer = act("PUT", f"/users/{user_id}/ban", body)
    assert (answer.status_code, [error["field"] for error in answer.json["errors"]]) == (422, [field])
    assert log_in().status_code == 201


def test_administrators_cannot_ban_themselves(act, log_in):
    answer = act("PUT", "/users/1/ban", BAN)
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert log_in(ADMIN_MOBILE).status_code == 201


def test_T38_an_administrator_ends_all_sessions_of_one(act, register, log_in, refresh, stored_sessions, revoked, audit):
    tokens = [register().json, log_in().json]
    user_id = tokens[0]["user"]["id"]
    assert act("DELETE", f"/users/{user_id}/sessions").status_code == 204
    assert [refresh(answer["refresh_token"]).status_code for answer in tokens] == [401, 401]
    ended = {session.id for session in stored_sessions() if session.revoked_at}
    assert len(ended) == 2
    assert [(entry["id"], entry["through"]) for entry in revoked()] == [(str(user_id), max(ended))]
    assert len(audit("sessions_ended")) == 1
    assert log_in().status_code == 201


def test_T38_an_administrator_signs_everybody_out(act, register, log_in, refresh, revoked, clock, audit, claims_of):
    tokens = [register().json, register(mobile="+8613900139000").json, log_in(ADMIN_MOBILE).json]
    sessions = [claims_of(answer["access_token"])["sid"] for answer in tokens]
    assert act("POST", "/revoke-all").status_code == 204
    assert [refresh(answer["refresh_token"]).status_code for answer in tokens] == [401] * 3
    (entry,) = revoked()
    assert entry["kind"] == "all"
    assert entry["through"] >= max(*sessions, last_session_id(clock.now))
    assert audit("everybody_signed_out")[0].actor_id == 1
    clock.move(seconds=1)
    assert log_in().status_code == 201


def test_everybody_is_signed_out_however_many_they_are(act, owner, database, stored_sessions):
    (template,) = [session for session in stored_sessions() if session.user_id != 1]
    columns = {name: value for name, value in vars(template).items() if not name.startswith("_")}
    with database.write() as db:
        for number in range(1001):
            db.add(type(template)(**{**columns, "id": f"{number:032x}"}))
    assert act("POST", "/revoke-all").status_code == 204
    assert [session for session in stored_sessions() if session.revoked_at is None] == []


def test_a_required_reset_is_told_after_the_right_password_only(
    act, register, log_in, log_in_by_code, sms_service, audit
):
    user_id = register().json["user"]["id"]
    path = f"/users/{user_id}/password-reset-required"
    assert [act("POST", path).status_code for _ in range(2)] == [204, 204]
    assert log_in(password="something else").json["code"] == "credentials_wrong"
    answer = log_in()
    assert (answer.status_code, answer.json["code"], answer.json["errmsg"]) == (
        *(403, "password_reset_required", "请先重置密码"),
    )
    sms_service.live[MOBILE, "login"] = CODE
    assert log_in_by_code().status_code == 201
    assert act("GET", f"/users/{user_id}").json["must_reset_password"]
    assert len(audit("password_reset_required")) == 1


def test_the_audit_log_is_read_newest_first_in_pages_and_by_filter(act, register, log_in):
    register()
    for _ in range(3):
        log_in(password="something else")
    first = act("GET", "/audit-events?event=login_by_password&user_id=2&limit=2").json
    second = act("GET", f"/audit-events?event=login_by_password&user_id=2&limit=2&cursor={first['next_cursor']}").json
    lines = first["items"] + second["items"]
    assert [line["outcome"] for line in lines] == ["credentials_wrong"] * 3
    assert sorted((line["id"] for line in lines), reverse=True) == [line["id"] for line in lines]
    assert second["next_cursor"] is None
    assert set(lines[0]) == {
        *("id", "at", "event", "outcome", "user_id", "actor_id", "mobile", "ip_prefix", "request_id", "detail")
    }
    assert (lines[0]["mobile"], lines[0]["ip_prefix"]) == ("+86138****8000", "203.0.113.0/24")


def test_a_ban_stands_without_redis_and_is_told_when_it_is_back(admin, app_without_redis, register, log_in):
    user_id = register().json["user"]["id"]
    path = f"/api/v1/admin/users/{user_id}/ban"
    assert admin.through(app_without_redis).call("PUT", path, BAN).status_code == 200
    assert log_in().status_code == 401
    # The replayer checks this mark when Redis is back, and publishes the entry.
    assert svcs.Container(svcs.flask.get_registry(app_without_redis)).get(Revocations)._is_incomplete
