"""An operator ends sessions and purges old ones on the command line."""

import pytest


@pytest.fixture
def devices(visitor, register, log_in):
    """Three sessions of one user."""
    return [visitor.signed_in(answer) for answer in (register(), log_in(), log_in())]


@pytest.fixture
def live_ids(stored_sessions):
    return lambda: [session.id for session in stored_sessions() if session.revoked_at is None]


@pytest.mark.parametrize(("words", "kind"), [(["--user-id", "1"], "user"), (["--everybody"], "all")])
def test_T38_an_operator_ends_sessions_by_command(app, devices, revoked, words, kind):
    result = app.test_cli_runner().invoke(args=["sessions", "end", *words])
    assert (result.exit_code, [entry["kind"] for entry in revoked()]) == (0, [kind])


@pytest.mark.any_database
@pytest.mark.parametrize("words", [[], ["--user-id", "1", "--everybody"], ["--user-id", "0"]])
def test_an_operator_must_say_whose_sessions(app, devices, live_ids, words):
    assert app.test_cli_runner().invoke(args=["sessions", "end", *words]).exit_code == 2
    assert len(live_ids()) == 3


def test_old_sessions_are_purged_once_they_expired(app, devices, clock, log_in, stored_sessions):
    def purge(*words):
        return app.test_cli_runner().invoke(args=["sessions", "purge", *words])

    clock.move(days=91)
    log_in()
    clock.move(days=29)
    log_in()
    assert purge().output == "3 expired sessions older than 90 days are deleted.\n"
    assert len(stored_sessions()) == 2
    assert purge("--days", "29").exit_code == 2
    assert purge("--days", "30").output.startswith("0 expired")
