import pytest

from user_service.models import User

MOBILE = "+8613800138000"
TOMBSTONE = "已注销用户（1）"


@pytest.fixture
def alice(visitor, register):
    alice = visitor.signed_in(register(nick_name="Alice"))
    alice.call("PATCH", "/api/v1/users/me", {"signature": "好好学习", "gender": "WOMAN"})
    return alice


def delete(person):
    return person.call("DELETE", "/api/v1/users/me")


def test_the_persons_data_is_gone_and_the_id_stays(alice, database, stored_users, clock):
    with database.write() as db:
        user = db.get_one(User, 1)
        user.is_admin = user.is_editor = True
    answer = delete(alice)
    assert (answer.status_code, answer.data) == (204, b"")
    [row] = stored_users()
    assert (row.id, row.nick_name, row.mobile, row.password_hash) == (1, TOMBSTONE, "gone:1", "")
    assert (row.avatar_url, row.signature, row.gender, row.last_login) == (None, None, None, None)
    assert (row.is_admin, row.is_editor, row.deleted_at) == (False, False, clock.now)


def test_every_session_ends_and_tells_nothing_of_the_person(
    alice, log_in, refresh, revoked, stored_sessions, claims_of
):
    other = log_in().json
    delete(alice)
    sessions = stored_sessions()
    assert len(sessions) == 2
    assert all(session.revoked_at for session in sessions)
    assert {(session.user_agent, session.ip_prefix) for session in sessions} == {("", "")}
    newest = max(alice.user["session_id"], claims_of(other["access_token"])["sid"])
    assert [(entry["kind"], entry["id"], entry["through"]) for entry in revoked()] == [("user", "1", newest)]
    assert refresh(other["refresh_token"]).status_code == 401


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/users/me", None),
        ("PATCH", "/api/v1/users/me", {"signature": "still here"}),
        ("DELETE", "/api/v1/users/me", None),
        ("PUT", "/api/v1/users/me/password", {"new_password": "a wholly different one"}),
        ("DELETE", "/api/v1/users/me/avatar", None),
    ],
)
def test_a_token_that_outlives_the_account_opens_nothing(alice, method, path, body):
    delete(alice)
    answer = alice.call(method, path, body)
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")


def test_a_code_does_not_change_the_mobile_of_a_deleted_account(alice, sms_service, stored_users):
    delete(alice)
    sms_service.live["+8613900139000", "change_mobile"] = "161803"
    sms_service.subjects["+8613900139000", "change_mobile"] = "1"
    body = {"mobile": "+8613900139000", "sms_code": "161803"}
    assert alice.call("PUT", "/api/v1/users/me/mobile", body).json["code"] == "unauthenticated"
    assert stored_users()[0].mobile == "gone:1"


def test_nobody_signs_in_any_more(alice, log_in, visitor, sms_service):
    delete(alice)
    assert log_in().json["code"] == "credentials_wrong"
    sms_service.live[MOBILE, "login"] = "271828"
    body = {"mobile": MOBILE, "sms_code": "271828"}
    assert visitor.call("POST", "/api/v1/sessions", body).json["code"] == "credentials_wrong"
    sms_service.live[MOBILE, "reset_password"] = "271828"
    reset = {**body, "password": "a wholly different one"}
    assert visitor.call("POST", "/api/v1/password-resets", reset).json["code"] == "sms_code_wrong"


def test_the_profile_is_not_found_and_other_services_see_the_tombstone(alice, visitor, app, called_by):
    delete(alice)
    assert visitor.call("GET", "/api/v1/users/1").status_code == 404
    cards = app.test_client().get("/internal/users?id=1", headers=called_by("user-service", "news-service"))
    [card] = cards.json["items"]
    assert card.pop("created_at")
    assert card == {"id": 1, "nick_name": TOMBSTONE, "avatar_url": None}


def test_the_mobile_and_the_nick_name_can_be_used_anew(alice, register):
    delete(alice)
    answer = register(nick_name="Alice")
    assert (answer.status_code, answer.json["user"]["id"]) == (201, 2)


def test_no_living_user_can_take_the_name_of_a_tombstone(alice, register, visitor):
    answer = register(mobile="+8613800138001", nick_name=TOMBSTONE)
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "reserved")
    assert delete(alice).status_code == 204
    assert visitor.call("GET", "/api/v1/users/1").status_code == 404


def test_an_old_proof_asks_for_a_step_up(alice, clock, stored_users):
    clock.move(seconds=301)
    answer = delete(alice)
    assert (answer.status_code, answer.json["code"]) == (401, "step_up_required")
    assert stored_users()[0].deleted_at is None


def test_nobody_deletes_without_a_session(visitor):
    assert delete(visitor).json["code"] == "unauthenticated"


def test_the_audit_log_remembers_it(alice, stored_events):
    delete(alice)
    event = stored_events()[-2]  # The last one says that the sessions ended.
    assert (event.event, event.outcome, event.user_id, event.actor_id, event.mobile_masked) == (
        *("account_deleted", "done", 1, 1),
        "+86138****8000",
    )


def test_without_redis_the_account_is_gone_all_the_same(alice, app_without_redis, stored_users, stored_sessions):
    assert delete(alice.through(app_without_redis)).status_code == 204
    assert stored_users()[0].deleted_at is not None
    assert [session for session in stored_sessions() if session.revoked_at is None] == []
