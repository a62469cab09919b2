"""An outage is no failure: what ends an attempt without comparing a secret gives back everything that was charged."""

from contextlib import contextmanager, nullcontext

import pytest
import svcs

from chassis.database import Database
from chassis.errors import DependencyUnavailable, TooManyRequests
from user_service.limits.login_guard import Attempt, Bucket, RateLimits, _settled
from user_service.sessions.sign_in import SignIn

pytestmark = pytest.mark.any_database  # What is counted lives in Redis.

MOBILE, FREE, WRONG = "+8613800138000", "+8613900139000", "something else"
CODE, PASSWORD, NEW = "271828", "correct horse battery", "a wholly different one"
RIGHT = (200, 201, 204)
# Method, path, the purpose of the code (empty with a password), and the fields beside the code.
FLOWS = {
    "login": ("POST", "/api/v1/sessions", "", {"mobile": MOBILE, "password": PASSWORD}),
    "login by code": ("POST", "/api/v1/sessions", "login", {"mobile": MOBILE}),
    "registration": ("POST", "/api/v1/users", "register", {"mobile": FREE, "password": NEW}),
    "reset": ("POST", "/api/v1/password-resets", "reset_password", {"mobile": MOBILE, "password": NEW}),
    "change of password": (
        *("PUT", "/api/v1/users/me/password", ""),
        {"current_password": PASSWORD, "new_password": NEW},
    ),
    "change of mobile": ("PUT", "/api/v1/users/me/mobile", "change_mobile", {"mobile": FREE}),
    "proof": ("POST", "/api/v1/reauthentications", "", {"password": PASSWORD}),
    "proof by code": ("POST", "/api/v1/reauthentications", "reauthenticate", {}),
}
HASHING = [flow for flow in FLOWS if "password" in str(FLOWS[flow])]
ASKING_SMS = [flow for flow in FLOWS if FLOWS[flow][2]]
OUTAGES = [
    *(("database", flow) for flow in FLOWS),
    *(("hasher", flow) for flow in HASHING),
    *(("sms-service", flow) for flow in ASKING_SMS),
    ("captcha-service", "login"),
]


def raise_unavailable(*_arguments, **_options):
    raise DependencyUnavailable


@pytest.fixture
def outage(app, monkeypatch, sms_service, captcha_service):
    """Take a part away until the end of a block."""

    def begin(part):
        parts = svcs.Container(svcs.flask.get_registry(app))
        database, passwords = parts.get(Database), parts.get(SignIn).passwords
        broken = {
            "database": [(database, "read"), (database, "write")],
            "hasher": [(passwords, "matches"), (passwords, "hash")],
        }
        with monkeypatch.context() as patch:
            for where, name in broken.get(part, []):
                patch.setattr(where, name, raise_unavailable)
            for service in {"sms-service": [sms_service], "captcha-service": [captcha_service]}.get(part, []):
                patch.setattr(service, "broken", True)
            yield

    return contextmanager(begin)


@pytest.fixture
def counted(redis):
    """Read what is counted of failures."""

    def read():
        keys = [key for pattern in ("login", "code", "password") for key in redis.keys(f"user:{pattern}:*")]
        return {key: value for key in keys if (value := redis.get(key)) != "0"}

    return read


@pytest.fixture
def send(owner, sms_service, solve):
    """Send the right secret in a flow, as the owner of an account, with a captcha if need be."""

    def send(flow, **more):
        method, path, purpose, fields = FLOWS[flow]
        if purpose:
            key = (fields.get("mobile", MOBILE), purpose)
            sms_service.live.setdefault(key, CODE)
            if purpose in ("change_mobile", "reauthenticate"):
                sms_service.subjects[key] = str(owner.user["user_id"])
            more["sms_code"] = CODE
        return owner.call(method, path, {**fields, **more})

    return send


@pytest.mark.parametrize(("part", "flow"), OUTAGES)
def test_an_outage_gives_everything_back(outage, send, solve, sms_service, counted, part, flow):
    captcha = solve() if part == "captcha-service" else {}
    with outage(part):
        answers = [send(flow, **captcha).status_code for _ in range(12)]
        left = sms_service.live.copy()
    assert (set(answers) <= {502, 503}, counted()) == (True, {})
    assert FLOWS[flow][2] in ("", *(purpose for _, purpose in left))  # The code is not used up.
    assert send(flow).status_code in RIGHT


def test_a_right_password_while_the_database_is_away_needs_no_captcha_afterwards(outage, register, log_in):
    register()
    with outage("database"):
        assert [log_in().status_code for _ in range(4)] == [503] * 4
    assert log_in().status_code == 201


@pytest.mark.parametrize("part", ["database", "captcha-service"])
def test_an_outage_takes_itself_alone_from_the_failures(
    outage, register, log_in, solve, counted, captcha_service, part
):
    register()
    for _ in range(3):
        assert log_in(password=WRONG).status_code == 401
    before, captcha = counted(), solve()
    with outage(part):
        assert log_in(**captcha).status_code == 503
    assert counted() == before
    assert len(before) == 3
    if part == "database":
        assert log_in(**captcha).status_code == 201  # No captcha is used up either.


@pytest.mark.parametrize("failures", [1, 2, 7])
def test_a_comparison_that_never_came_leaves_a_row_as_it_was(outage, register, log_in, solve, redis, failures):
    register()
    for _ in range(failures):
        assert log_in(password=WRONG, **solve()).status_code in (401, 429)
        for key in redis.keys("user:login:account:*"):
            redis.delete(key)
    [row] = redis.keys("user:login:streak:*")
    before = (redis.get(row), round(redis.ttl(row) / 86_400))
    with outage("hasher"):
        assert log_in(**solve()).status_code == 503
    assert (redis.get(row), round(redis.ttl(row) / 86_400)) == before == (str(failures), failures)


def test_a_wrong_password_is_a_failure_though_it_cannot_be_written_down(register, log_in, counted, app, monkeypatch):
    register()
    database = svcs.Container(svcs.flask.get_registry(app)).get(Database)
    with monkeypatch.context() as patch:
        patch.setattr(database, "write", raise_unavailable)
        assert log_in(password=WRONG).status_code == 503
    assert sorted(counted().values()) == ["1", "1", "1"]


BUCKET = Bucket("bucket", 5, 60)


@pytest.mark.parametrize(
    ("is_right", "error", "left"),
    [
        (True, None, "0"),
        (True, DependencyUnavailable, "0"),
        (None, DependencyUnavailable, "0"),
        (None, TooManyRequests, "0"),
        (None, KeyError, "0"),
        (None, KeyboardInterrupt, "0"),
        (False, None, "1"),
        (False, DependencyUnavailable, "1"),
    ],
)
def test_the_charge_stays_only_if_the_secret_was_wrong(redis, is_right, error, left):
    expected = pytest.raises(error) if error else nullcontext()
    with expected, RateLimits(redis).attempt(BUCKET) as attempt:
        assert redis.get("bucket") == "1"
        attempt.is_right = is_right
        if error:
            raise error
    assert redis.get("bucket") == left


def test_the_first_error_is_raised_though_nothing_can_be_given_back():
    with pytest.raises(KeyError), _settled(Attempt(), raise_unavailable):
        raise KeyError
