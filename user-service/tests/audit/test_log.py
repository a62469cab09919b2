import re
from pathlib import Path

import pytest
import svcs
from structlog.testing import capture_logs

import user_service
from user_service.app import create_app

MOBILE = "+8613800138000"
UNKNOWN = "+8613900139000"
CODE = "271828"


def outcomes_of(lines):
    return [(line.event, line.outcome, line.user_id) for line in lines]


def test_T42_every_auth_event_is_written_down(
    register, log_in, log_in_by_code, sms_service, visitor, refresh, clock, audit
):
    register()
    register()
    log_in(password="something else")
    log_in(UNKNOWN)
    log_in_by_code()
    sms_service.live[MOBILE, "login"] = CODE
    log_in_by_code()
    tokens = log_in()
    person = visitor.signed_in(tokens)
    first = [tokens.json["refresh_token"]]
    for _ in range(2):
        first.append(refresh(first[-1]).json["refresh_token"])
    refresh(first[0])
    refresh(first[0])
    other = visitor.signed_in(log_in())
    ended = visitor.signed_in(log_in())
    other.call("DELETE", f"/api/v1/sessions/{ended.user['session_id']}")
    other.call("DELETE", "/api/v1/sessions/current")
    assert outcomes_of(audit()) == [
        ("registration", "done", 1),
        ("registration", "mobile_taken", 1),
        ("login_by_password", "credentials_wrong", 1),
        ("login_by_password", "credentials_wrong", None),
        ("login_by_code", "credentials_wrong", 1),
        ("login_by_code", "done", 1),
        ("login_by_password", "done", 1),
        ("refresh_token_reused", "done", 1),
        ("login_by_password", "done", 1),
        ("login_by_password", "done", 1),
        ("session_ended", "done", 1),
        ("logout", "done", 1),
    ]
    assert audit("refresh_token_reused")[0].detail == person.user["session_id"]


def test_T42_a_line_says_when_who_from_where_and_no_whole_mobile(register, audit, clock, visitor, log_in):
    answer = log_in(UNKNOWN)
    (line,) = audit()
    assert line.at == clock.now
    assert line.request_id == answer.headers["X-Request-Id"]
    assert (line.mobile_masked, line.ip_prefix, line.actor_id) == ("+86139****9000", "203.0.113.0/24", None)


@pytest.mark.parametrize("payload", ['x"}\t{"event": "forged"', "a\x1b[31mred", "b\x85next line", "c\u00a0\u00ad"])
def test_T42_what_clients_write_cannot_forge_lines(register, visitor, log_in, audit, stored_sessions, payload):
    with capture_logs() as lines:
        sneaky = {"User-Agent": payload, "X-Request-Id": payload, "X-Forwarded-For": f"{payload}, {payload}"}
        register()
        visitor.call("POST", "/api/v1/sessions", {"mobile": MOBILE, "password": "x"}, **sneaky)
        visitor.call("POST", "/api/v1/sessions", {"mobile": MOBILE, "password": "correct horse battery"}, **sneaky)
    texts = [str(value) for line in audit() for value in vars(line).values()]
    texts += [session.user_agent for session in stored_sessions()]
    texts += [str(value) for line in lines for value in line.values()]
    assert [text for text in texts if not text.isprintable()] == []
    assert [line.event for line in audit()] == ["registration", "login_by_password", "login_by_password"]
    assert all(re.fullmatch("[0-9a-f]{32}", line.request_id) for line in audit())


def test_T42_a_nick_name_with_control_characters_never_gets_that_far(register, audit):
    assert register(nick_name="a\nb\x1b[0m").status_code == 422
    assert audit() == []


def test_a_reached_limit_is_one_line_a_minute(guess, audit):
    for _ in range(20):
        guess()
    lines = audit("login_by_password")
    assert [line.outcome for line in lines] == ["credentials_wrong"] * 5 + ["too_many_requests"]


def test_an_attack_cannot_fill_the_log(settings, clock, visitor, log_in, audit, naps):
    app = create_app(settings.model_copy(update={"audit_failures_per_hour": 3}), clock=clock, sleep=naps.append)
    for number in range(40):
        person = visitor.through(app).at(f"2001:db8:0:{number:x}::1")
        assert log_in(f"+86138001381{number:02d}", person=person).status_code == 401
    assert [line.detail for line in audit()] == [
        *("", "", ""),
        *(f"Failure {number} of this hour; most are left out." for number in (4, 8, 16, 32)),
    ]
    clock.move(hours=1)
    log_in(person=visitor.through(app))
    svcs.flask.close_registry(app)
    assert audit()[-1].detail == ""


def test_no_code_changes_the_log_and_only_the_purge_deletes():
    package = Path(user_service.__file__).parent
    modules = {
        path.relative_to(package).as_posix(): path.read_text()
        for path in package.rglob("*.py")
        if "migrations" not in path.parts
    }
    changing = re.compile(r"(update|delete)\(\s*AuditEvent|user_audit.*(UPDATE|DELETE)|(UPDATE|DELETE).*user_audit")
    changes = {name: changing.findall(text) for name, text in modules.items() if changing.search(text)}
    assert changes == {"audit/queries.py": [("delete", "", "")]}
    adding = re.compile(r"AuditEvent\(|insert\(\s*AuditEvent")
    assert [name for name, text in modules.items() if adding.search(text) and name != "models.py"] == ["audit/log.py"]
