from datetime import date, timedelta

import pytest

from user_service.models import AuditEvent

MOBILE = "+8613800138000"


@pytest.fixture
def run(app):
    """Run a command line."""
    return lambda *words: app.test_cli_runner().invoke(args=words)


@pytest.mark.parametrize(
    ("words", "role", "holder"), [((), "admin", "an administrator"), (("--role", "editor"), "editor", "an editor")]
)
def test_a_granted_role_stands_in_the_next_token(run, register, refresh, claims_of, audit, words, role, holder):
    tokens = register().json
    assert claims_of(tokens["access_token"])["roles"] == []
    result = run("admin", "grant", "138 0013 8000", *words)
    assert (result.exit_code, result.output) == (0, f"User 1 is {holder} after the next login.\n")
    assert claims_of(refresh(tokens["refresh_token"]).json["access_token"])["roles"] == [role]
    (line,) = audit(f"{role}_granted")
    assert (line.user_id, line.actor_id, line.detail) == (1, None, "command line")


@pytest.mark.parametrize("role", ["admin", "editor"])
def test_a_revoked_role_ends_the_sessions_that_hold_it(run, register, refresh, revoked, claims_of, log_in, audit, role):
    tokens = register().json
    run("admin", "grant", MOBILE)
    run("admin", "grant", MOBILE, "--role", "editor")
    assert run("admin", "revoke", MOBILE, "--role", role).exit_code == 0
    assert refresh(tokens["refresh_token"]).status_code == 401
    assert [entry["kind"] for entry in revoked()] == ["user"]
    assert claims_of(log_in().json["access_token"])["roles"] == [{"admin": "editor", "editor": "admin"}[role]]
    assert len(audit(f"{role}_revoked")) == 1


def test_holders_of_roles_are_listed_with_masked_mobiles(run, register):
    register(nick_name="林间读者")
    register(mobile="+8613900139000", nick_name="编辑")
    register(mobile="+8613700137000")
    run("admin", "grant", MOBILE)
    run("admin", "grant", "--role", "editor", "+8613900139000")
    run("admin", "grant", "--role", "editor", MOBILE)
    lines = run("admin", "list").output.splitlines()
    assert lines[0] == f"{1:>10}  +86138****8000  admin,editor  林间读者"
    assert lines[1:] == [f"{2:>10}  +86139****9000  editor        编辑"]


@pytest.mark.any_database
def test_no_other_role_is_granted(run, register):
    register()
    assert run("admin", "grant", MOBILE, "--role", "root").exit_code == 2


@pytest.mark.any_database
def test_a_command_reads_a_copied_mobile(run, register):
    register()
    assert run("admin", "grant", "\u202d138\u00a00013\u20118000\u202c").exit_code == 0


@pytest.mark.any_database
@pytest.mark.parametrize("words", [("grant", "+8613900139000"), ("revoke", "+8613900139000"), ("grant", "123")])
def test_a_role_for_nobody_is_refused(run, register, words):
    register()
    result = run("admin", *words)
    assert result.exit_code == 1
    assert run("admin", "list").output == ""


def test_lines_of_the_audit_log_go_by_age_alone(run, register, clock, database, audit):
    register()
    for days, lines in ((183, 1), (185, 1), *[(200, 91)] * 11):  # In small transactions: a statement has two seconds.
        with database.write() as db:
            at = clock.now - timedelta(days=days)
            db.add_all(AuditEvent(at=at, event=f"old_{days}", outcome="done") for _ in range(lines))
    result = run("audit", "purge")
    assert (result.exit_code, result.output) == (0, "1002 lines older than 184 days are deleted.\n")
    assert [line.event for line in audit()] == ["registration", "old_183", "audit_purged"]
    assert run("audit", "purge", "--days", "30").output.startswith("1 lines")


def test_the_purge_spares_any_six_months(run):
    begins = [date(2027 + month // 12, month % 12 + 1, 1) for month in range(18)]
    longest = max((end - begin).days for begin, end in zip(begins, begins[6:], strict=False))
    assert f"default: {longest};" in run("audit", "purge", "--help").output


def test_young_lines_cannot_be_purged(run):
    assert run("audit", "purge", "--days", "29").exit_code == 2
