from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import svcs
from sqlalchemy import update

from chassis.errors import CredentialsWrong, MobileTaken
from chassis.mobiles import Mobile
from user_service.app import create_app
from user_service.models import Device, HashedPassword, User, find_by_mobile
from user_service.passwords.hashing import Passwords, Profile
from user_service.sessions.sign_in import SignIn, note_login

pytestmark = pytest.mark.any_database  # Limits live in Redis; test_logins runs on all.

MOBILE = "+8613800138000"
CODE = "271828"
PASSWORD = "correct horse battery"


def without_id(answer):
    return {key: value for key, value in answer.json.items() if key != "request_id"}


@pytest.mark.every_database
def test_the_right_password_signs_in_and_sets_last_login(register, log_in, clock):
    user_id = register().json["user"]["id"]
    clock.move(hours=1)
    answer = log_in("138 0013 8000")
    assert answer.status_code == 201
    assert answer.json["user"]["id"] == user_id
    assert answer.json["user"]["last_login"] == clock.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert set(answer.json) == {"user", "access_token", "token_type", "expires_in", "refresh_token"}


def test_every_login_is_a_session_of_its_own(register, log_in, claims_of):
    sids = [claims_of(answer.json["access_token"])["sid"] for answer in (register(), log_in(), log_in())]
    assert len(set(sids)) == 3


def test_unknown_account_and_wrong_password_answer_the_same(register, log_in):
    register()
    wrong, unknown = log_in(password="something else"), log_in("+8613900139000")
    assert wrong.status_code == unknown.status_code == 401
    assert without_id(wrong) == without_id(unknown)
    assert (wrong.json["code"], wrong.json["errno"], wrong.json["errmsg"]) == (
        "credentials_wrong",
        "4103",
        "用户名或密码错误",
    )
    assert set(wrong.headers.keys()) == set(unknown.headers.keys())


def test_a_code_signs_in(register, log_in_by_code, sms_service):
    register()
    sms_service.live[MOBILE, "login"] = CODE
    answer = log_in_by_code()
    assert answer.status_code == 201
    assert answer.json["user"]["mobile"] == MOBILE
    assert sms_service.requests[-1]["purpose"] == "login"


def test_a_code_that_was_texted_for_registering_does_not_sign_in(register, log_in_by_code, sms_service):
    register()
    sms_service.live[MOBILE, "register"] = CODE
    assert log_in_by_code().json["code"] == "credentials_wrong"


def test_every_failure_by_code_answers_the_same(register, log_in_by_code, sms_service):
    register()
    expired = log_in_by_code()
    sms_service.live[MOBILE, "login"] = CODE
    wrong = log_in_by_code(code="000000")
    sms_service.live["+8613900139000", "login"] = CODE
    unknown = log_in_by_code("+8613900139000")
    assert [answer.status_code for answer in (expired, wrong, unknown)] == [401, 401, 401]
    assert without_id(expired) == without_id(wrong) == without_id(unknown)


@pytest.mark.parametrize("registered", [True, False])
def test_T23_five_failures_close_an_account_with_or_without_a_user(register, guess, visitor, registered):
    if registered:
        register()
    strangers = [visitor.at(f"198.51.100.{number}") for number in range(7)]
    statuses = [guess(person=person).status_code for person in strangers]
    assert statuses == [401] * 5 + [429] * 2
    answer = guess(person=visitor.at("198.51.100.99"))
    assert answer.status_code == 429
    assert 240 < int(answer.headers["Retry-After"]) <= 300


def test_codes_that_rest_are_told_alike_with_an_account_and_without(register, log_in_by_code, sms_service):
    register()
    resting = {"code": "too_many_requests", "detail": "Too many requests. Try again later.", "errors": []}
    sms_service.answer = lambda *_: ("429 Too Many Requests", resting)
    answers = [log_in_by_code(mobile, CODE) for mobile in (MOBILE, "+8613900139000")]
    assert [answer.status_code for answer in answers] == [429, 429]
    assert without_id(answers[0]) == without_id(answers[1])
    assert answers[0].json["code"] == "too_many_requests"
    assert answers[0].headers["Retry-After"] == answers[1].headers["Retry-After"]


@pytest.mark.parametrize("columns", [{}, {"must_reset_password": True}])
def test_the_right_password_of_a_banned_account_takes_places_like_a_wrong_one(
    register, change_user, clock, log_in, solve, columns
):
    register()
    change_user(banned_until=clock() + timedelta(days=1), **columns)
    codes = [log_in(**solve()).json["code"] for _ in range(6)]
    assert codes == ["credentials_wrong"] * 5 + ["too_many_requests"]


@pytest.mark.parametrize("banned", [True, False])
def test_a_right_code_that_opens_no_account_forgets_no_failures(
    register, change_user, clock, guess, log_in_by_code, sms_service, redis, banned
):
    if banned:
        register()
        change_user(banned_until=clock() + timedelta(days=1))
    guess()
    sms_service.live[MOBILE, "login"] = CODE
    assert log_in_by_code().json["code"] == "credentials_wrong"
    assert [redis.get(key) for key in redis.keys("user:login:streak:*")] == ["1"]


def test_a_login_is_written_down_with_its_account_actor_mobile_and_time(
    register, log_in, log_in_by_code, sms_service, clock, audit
):
    user_id = register().json["user"]["id"]
    clock.move(hours=1)
    log_in()
    sms_service.live[MOBILE, "login"] = CODE
    log_in_by_code()
    entries = [audit("login_by_password")[0], audit("login_by_code")[0]]
    seen = [(entry.outcome, entry.user_id, entry.actor_id, entry.mobile_masked, entry.at) for entry in entries]
    assert seen == [("done", user_id, user_id, "+86138****8000", clock.now)] * 2


def test_a_closed_password_login_leaves_the_login_by_code_open(register, guess, log_in_by_code, sms_service):
    register()
    assert [guess().status_code for _ in range(6)][-1] == 429
    sms_service.live[MOBILE, "login"] = CODE
    assert log_in_by_code().status_code == 201


def test_right_passwords_cost_no_attempts(register, log_in):
    register()
    assert [log_in().status_code for _ in range(7)] == [201] * 7


def test_thirty_failures_of_one_address_close_it_for_every_account(guess, log_in, register, visitor):
    register()
    mobiles = [f"+86138001381{number:02d}" for number in range(31)]
    assert [guess(mobile).status_code for mobile in mobiles] == [401] * 30 + [429]
    assert log_in().status_code == 429
    assert log_in(person=visitor.at("198.51.100.1")).status_code == 201


def test_parallel_guesses_take_no_more_than_the_five_places(guess, register):
    register()
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda _: guess().status_code, range(12)))
    assert sorted(statuses) == [401] * 5 + [429] * 7


def test_no_mobile_stands_in_redis(log_in, redis):
    log_in()
    keys = redis.keys()
    assert sorted(key.rpartition(":")[0] for key in keys) == [
        *("user:audit:failures", "user:login:account", "user:login:ip", "user:login:streak")
    ]
    assert not any("138001380" in key for key in keys)
    assert all(redis.pttl(key) > 0 for key in keys)


def test_without_redis_nobody_logs_in(register, log_in, visitor, app_without_redis):
    register()
    answer = log_in(person=visitor.through(app_without_redis))
    assert (answer.status_code, answer.json["code"]) == (503, "service_unavailable")


@pytest.mark.every_database
def test_a_hash_of_other_parameters_is_replaced_at_login(register, log_in, database, stored_users, settings):
    register()
    other = Passwords(Profile(memory_kib=16, passes=1), settings.parsed_password_keys(), parallel=1, wait_seconds=1)
    with database.write() as db:
        db.get_one(User, 1).password = other.hash(PASSWORD)
    assert log_in().status_code == 201
    assert stored_users()[0].password_hash.startswith("hmac-sha256:test$argon2id$v=19$m=8,t=1,p=1$")
    assert log_in().status_code == 201


def test_a_stored_text_that_is_no_hash_matches_nothing(register, log_in, database):
    register()
    with database.write() as db:
        db.get_one(User, 1).password_hash = "50000$abc$def"
    assert log_in().json["code"] == "credentials_wrong"


def test_limits_are_settings(settings, visitor, register, log_in):
    register()
    app = create_app(settings.model_copy(update={"login_failures_per_account_per_5_minutes": 1}))
    person = visitor.through(app)
    assert [log_in(password="something else", person=person).status_code for _ in range(2)] == [401, 429]
    svcs.flask.close_registry(app)


@pytest.fixture
def checked(register, database):
    """An account as a login read it, before its password was checked."""
    register()
    with database.read() as db:
        return find_by_mobile(db, MOBILE)


@pytest.fixture
def note(database, clock):
    """Write a login down in a transaction of its own."""

    def note(user, **options):
        with database.write() as db:
            return note_login(db, user, clock(), **options)

    return note


@pytest.mark.parametrize(
    "columns",
    [
        {"password_hash": "another"},
        {"mobile": "+8613800138009"},
        {"is_admin": True},
        {"is_admin": None},
        {"is_editor": True},
        {"must_reset_password": True},
    ],
)
def test_an_account_that_changed_while_it_was_checked_lets_nobody_in(checked, note, database, stored_users, columns):
    with database.write() as db:
        db.execute(update(User).values(**columns))
    before = stored_users()[0].last_login
    assert not note(checked, rehashed=HashedPassword("newer"))
    (user,) = stored_users()
    assert user.last_login == before
    assert user.password_hash == columns.get("password_hash", checked.password_hash)


@pytest.mark.parametrize(("moment", "lets_in"), [({"seconds": 1}, False), ({}, True), ({"seconds": -1}, True)])
def test_a_ban_while_the_account_was_checked_lets_nobody_in_until_it_ends(
    checked, note, change_user, clock, moment, lets_in
):
    change_user(MOBILE, banned_until=clock() + timedelta(**moment))
    assert note(checked) == lets_in


def test_a_deletion_while_the_account_was_checked_lets_nobody_in(checked, note, change_user, clock):
    change_user(MOBILE, deleted_at=clock())
    assert not note(checked)


class _BannedMeanwhile:
    """Finds every password right, and bans the account while it is compared."""

    def __init__(self, ban):
        self._ban = ban

    def matches(self, stored, password):
        self._ban()
        return True

    def is_outdated(self, stored):
        return False


def test_a_login_whose_account_is_banned_while_its_password_is_compared_begins_no_session(
    app, register, change_user, clock, stored_sessions, audit
):
    register()
    sign_in = svcs.Container(svcs.flask.get_registry(app)).get(SignIn)
    passwords = _BannedMeanwhile(lambda: change_user(banned_until=clock() + timedelta(days=1)))
    device = Device(user_agent="a test", ip_prefix="203.0.113.0/24")
    with pytest.raises(CredentialsWrong):
        replace(sign_in, passwords=passwords).by_password(Mobile(MOBILE), PASSWORD, device, "203.0.113.7")
    assert len(stored_sessions()) == 1
    assert [entry.outcome for entry in audit("login_by_password")] == ["credentials_wrong"]


class _TakenMeanwhile:
    """Finds every mobile taken, after something has happened."""

    def __init__(self, happen):
        self._happen = happen

    def open(self, mobile, password, device):
        self._happen()
        raise MobileTaken


def test_a_code_signs_in_to_the_account_that_a_registration_made_a_moment_before(app, register, sms_service):
    sms_service.live[MOBILE, "login"] = CODE
    sign_in = svcs.Container(svcs.flask.get_registry(app)).get(SignIn)
    raced = replace(sign_in, new_accounts=_TakenMeanwhile(register))
    device = Device(user_agent="a test", ip_prefix="203.0.113.0/24")
    signed_in = raced.by_code(Mobile(MOBILE), CODE, device, "203.0.113.7", create_user=True)
    assert signed_in.user.mobile == MOBILE


@pytest.mark.every_database
def test_an_unchanged_account_gets_the_time_and_the_newer_hash(checked, note, clock, stored_users):
    clock.move(hours=1)
    assert note(checked, rehashed=HashedPassword("newer"))
    (user,) = stored_users()
    assert (user.last_login, user.password_hash) == (clock.now, "newer")
    assert checked.last_login == clock.now


@pytest.mark.every_database
def test_a_role_that_the_course_left_null_is_no_change(checked, note, change_user, database):
    change_user(MOBILE, is_admin=None)
    with database.read() as db:
        checked = find_by_mobile(db, MOBILE)
    assert note(checked)
