"""Accounts that leave as SQL come back as they were; bans and unfinished roles let nobody in elsewhere."""

from collections import Counter
from contextlib import nullcontext
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, select

from chassis.dumps.files import examine_file
from chassis.dumps.importing import ImportOptions
from chassis.dumps.writing import write_tables
from user_service.accounts.export_sql import WITHOUT_HASHES, exported_tables
from user_service.accounts.import_sql import import_files
from user_service.models import FOR_EVER, Gender, User, UserSession

NOON = datetime(2019, 1, 1, 4, 0, 0, 123456, tzinfo=UTC)
FOREIGN = "pbkdf2:sha256:50000$a-salt$" + "0" * 64
COLUMNS = [User.__table__.c[name] for name in ("id", "nick_name", "password_hash", "mobile", "avatar_url", "is_admin")]
COLUMNS += [User.__table__.c[name] for name in ("create_time", "update_time", "last_login", "signature", "gender")]


@pytest.fixture
def add(database):
    """Write an account."""

    def add(**fields):
        usual = {"id": 1, "nick_name": "ann", "password_hash": FOREIGN, "mobile": "+8613800138001"}
        with database.write() as db:
            db.add(User(**usual | fields))

    return add


@pytest.fixture
def export(database):
    """Export the accounts; return the SQL and the notes."""

    def export(*switches):
        notes = Counter()
        tables = exported_tables(database, datetime.now(UTC), notes, frozenset(switches))
        return "".join(write_tables(tables, ZoneInfo("Asia/Shanghai"))), notes

    return export


def stored(database):
    with database.read() as db:
        return [tuple(row) for row in db.execute(select(*COLUMNS).order_by(User.id))]


def test_accounts_come_back_as_they_were(database, add, export, register, log_in, tmp_path):
    register(mobile="13800138000", nick_name="here")
    add(
        id=7,
        nick_name="it's \\ 🚀",
        signature='"\n\\',
        gender=Gender.WOMAN,
        create_time=NOON,
        update_time=NOON,
        last_login=NOON,
    )
    add(id=8, nick_name="abroad", mobile="+85261234567", gender=None, create_time=None, update_time=NOON)
    before, (sql, notes) = stored(database), export()
    assert notes == {"password hashes need USER_PASSWORD_KEYS, and no classic program can check them": 1}
    with database.write() as db:
        db.execute(delete(UserSession))
        db.execute(delete(User))
    path = tmp_path / "out.sql"
    path.write_text(sql, encoding="utf-8")
    options = ImportOptions(
        zone=ZoneInfo("Asia/Shanghai"), is_dry_run=False, progress=lambda *_: nullcontext(lambda _: None)
    )
    list(import_files(database, [examine_file(path, lambda _: None)], options))
    assert stored(database) == before
    assert log_in(mobile="13800138000").status_code == 201  # The hash of ours works with its key.


@pytest.mark.any_database
def test_hashes_stay_here_on_request(add, export):
    add()
    assert FOREIGN in export()[0]
    sql, _ = export(WITHOUT_HASHES)
    assert FOREIGN not in sql
    assert "'ann','!','13800138001'" in sql


@pytest.mark.any_database
def test_a_ban_and_an_unfinished_role_open_nothing_elsewhere(add, export):
    add(banned_until=FOR_EVER)
    add(id=2, nick_name="admin", mobile="+8613800138002", is_admin=True)
    add(id=3, nick_name="soon", mobile="+8613800138003", is_admin=True, must_reset_password=True)
    sql, notes = export()
    rows = [row.split(",") for row in sql.partition("VALUES (")[2].split("),(")]
    assert [row[4] == "'!'" for row in rows] == [True, False, False]
    assert [row[8] for row in rows] == ["0", "1", "0"]
    assert notes == {"banned accounts have no password there, because the classic knows no bans": 1}


@pytest.mark.any_database
def test_the_command_warns_of_personal_data(app, add):
    add()
    result = app.test_cli_runner().invoke(args=["export-sql", "--without-hashes"])
    assert "personal data" in result.stderr
    assert "'ann','!'" in result.stdout
