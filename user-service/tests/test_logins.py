from datetime import timedelta

import pytest
from sqlalchemy import update

from user_service.accounts.accounts import find_by_mobile
from user_service.models import HashedPassword, User
from user_service.sessions.sign_in import note_login

MOBILE = "+8613800138000"


@pytest.fixture
def judged(register, database):
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
        {"must_reset_password": True},
    ],
)
def test_an_account_that_changed_while_it_was_judged_lets_nobody_in(judged, note, database, stored_users, columns):
    with database.write() as db:
        db.execute(update(User).values(**columns))
    before = stored_users()[0].last_login
    assert not note(judged, rehashed=HashedPassword("newer"))
    (user,) = stored_users()
    assert user.last_login == before
    assert user.password_hash == columns.get("password_hash", judged.password_hash)


@pytest.mark.parametrize(("moment", "lets_in"), [({"seconds": 1}, False), ({}, True), ({"seconds": -1}, True)])
def test_a_ban_while_the_account_was_judged_lets_nobody_in_until_it_ends(
    judged, note, change_user, clock, moment, lets_in
):
    change_user(MOBILE, banned_until=clock() + timedelta(**moment))
    assert note(judged) == lets_in


def test_a_deletion_while_the_account_was_judged_lets_nobody_in(judged, note, change_user, clock):
    change_user(MOBILE, deleted_at=clock())
    assert not note(judged)


def test_an_unchanged_account_gets_the_time_and_the_newer_hash(judged, note, clock, stored_users):
    clock.move(hours=1)
    assert note(judged, rehashed=HashedPassword("newer"))
    (user,) = stored_users()
    assert (user.last_login, user.password_hash) == (clock.now, "newer")
    assert judged.last_login == clock.now


def test_a_role_that_the_course_left_null_is_no_change(judged, note, change_user, database):
    change_user(MOBILE, is_admin=None)
    with database.read() as db:
        judged = find_by_mobile(db, MOBILE)
    assert note(judged)
