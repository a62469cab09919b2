"""The import of accounts from the course's dumps, on every database. All rows are invented."""

from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import pbkdf2_hmac
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from chassis.dumps.files import examine_file
from chassis.dumps.importing import ImportOptions
from user_service.accounts.import_sql import WITH_ROLES, ImportedPeople, import_files
from user_service.models import AuditEvent, User

MOBILE, PASSWORD = "+8613800138000", "correct horse battery"
HASH = "pbkdf2:sha256:50000$a-salt$" + pbkdf2_hmac("sha256", PASSWORD.encode(), b"a-salt", 50000).hex()
NOON, EVENING = "2019-01-01 12:00:00", "2019-01-01 20:00:00"
NOON_UTC = datetime(2019, 1, 1, 4, tzinfo=UTC)
DEFAULTS = {
    "create_time": NOON,
    "update_time": NOON,
    "id": "35",
    "nick_name": "ann",
    "password_hash": HASH,
    "mobile": "13800138000",
    "avatar_url": None,
    "last_login": NOON,
    "is_admin": "0",
    "signature": None,
    "gender": "MAN",
}


def literal(value):
    return "null" if value is None else "'" + value.replace("\\", r"\\").replace("'", r"\'") + "'"


def row(**fields):
    return "(" + ",".join(literal(value) for value in (DEFAULTS | fields).values()) + ")"


def dump(*rows):
    return "SET FOREIGN_KEY_CHECKS=0;\nDROP TABLE IF EXISTS `info_user`;\n" + "".join(
        f"INSERT INTO `info_user` VALUES {row};\n" for row in rows
    )


@contextmanager
def no_progress(_file, _total_bytes):
    yield lambda _bytes: None


@pytest.fixture
def run(database, tmp_path):
    """Import texts of SQL and return the report on the table of each."""

    def run(*texts, is_dry_run=False, with_roles=False, people=None):
        files = []
        for number, text in enumerate(texts):
            path = tmp_path / f"{number}.sql"
            path.write_text(text, encoding="utf-8")
            files.append(examine_file(path, lambda _: None))
        options = ImportOptions(
            zone=ZoneInfo("Asia/Shanghai"),
            is_dry_run=is_dry_run,
            progress=no_progress,
            switches=frozenset({WITH_ROLES} if with_roles else ()),
        )
        return [report.tables["info_user"] for _, report in import_files(database, files, options, people=people)]

    return run


@pytest.fixture
def here(database):
    """Write into the account with an id, as somebody does who changes it here."""

    def change(user_id, **fields):
        with database.write() as db:
            user = db.get_one(User, user_id)
            for name, value in fields.items():
                setattr(user, name, value)

    return change


def counts(report):
    return (report.read, report.written, report.changed, report.unchanged, report.refused)


def test_an_account_arrives_whole(run, stored_users):
    (report,) = run(dump(row(update_time=EVENING, signature="it's; -- \\ 🚀", gender="WOMAN")))
    (user,) = stored_users()
    assert counts(report) == (1, 1, 0, 0, 0)
    assert (user.id, user.nick_name, user.mobile, user.password_hash) == (35, "ann", "+8613800138000", HASH)
    assert (user.create_time, user.last_login) == (NOON_UTC, NOON_UTC)
    assert user.update_time == NOON_UTC.replace(hour=12)
    assert (user.roles, user.signature, user.gender) == ([], "it's; -- \\ 🚀", "WOMAN")
    assert (user.must_reset_password, user.deleted_at, user.banned_until) == (False, None, None)
    assert report.notes == {}


def test_an_insert_with_columns_in_any_order_and_bare_numbers(run, stored_users):
    columns = "`mobile`, id, gender, is_admin, nick_name, password_hash"
    sql = f"INSERT INTO info_user ({columns}) VALUES ('138 0013 8000', 7, 'MAN', 0, 'ann', '{HASH}')"
    (report,) = run(sql)
    (user,) = stored_users()
    assert counts(report) == (1, 1, 0, 0, 0)
    assert (user.id, user.mobile, user.is_admin) == (7, "+8613800138000", False)
    assert user.create_time is not None
    assert counts(run(sql)[0]) == (1, 0, 0, 1, 0)


def test_a_dump_that_calls_the_mobile_username(run, stored_users):
    columns = "id, username, nick_name, password_hash, news_count"
    (report,) = run(f"INSERT INTO info_user ({columns}) VALUES (7, '13800138000', 'ann', '{HASH}', 3);")
    assert stored_users()[0].mobile == "+8613800138000"
    assert report.notes == {"the column news_count is unknown and left out": 1}


def test_nulls_stay_nulls(run, stored_users):
    nothing = dict.fromkeys(("create_time", "update_time", "last_login", "signature", "gender"))
    run(dump(row(**nothing, is_admin=None)))
    (user,) = stored_users()
    assert [getattr(user, name) for name in nothing] == [None] * 5
    assert counts(run(dump(row(**nothing)))[0]) == (1, 0, 0, 1, 0)


@pytest.mark.any_database
def test_texts_are_imported_as_they_are_seen(run, stored_users):
    (report,) = run(
        dump(
            row(mobile="\u202d138\u00a00013\u20118000\u202c", nick_name="林\u200b间", signature="\u202e早\u3164"),
            row(id="36", mobile="13800138001", nick_name="ad\u034fmin", signature="\u3164"),
        )
    )
    first, second = stored_users()
    assert (first.mobile, first.nick_name, first.signature) == ("+8613800138000", "林间", "早")
    assert (second.nick_name[:2], second.signature) == ("用户", None)
    assert report.notes["the nick name is a mobile or not allowed, a drawn one takes its place"] == 1


def test_who_was_imported_logs_in_and_gets_a_hash_of_ours(run, log_in, stored_users):
    run(dump(row()))
    assert log_in(password="something else").status_code == 401
    answer = log_in()
    assert (answer.status_code, answer.json["user"]["id"]) == (201, 35)
    assert stored_users()[0].password_hash.startswith("hmac-sha256:test$argon2id$")


def test_a_second_run_changes_nothing(run, stored_users, database):
    text = dump(row(), row(id="36", mobile="13800138001", nick_name="13800138001", avatar_url="FkT", gender="x"))
    run(text)
    before = [vars(user) | {"_sa_instance_state": None} for user in stored_users()]
    (report,) = run(text)
    assert counts(report) == (2, 0, 0, 2, 0)
    assert [vars(user) | {"_sa_instance_state": None} for user in stored_users()] == before


def test_a_dry_run_writes_nothing_and_reports_the_same(run, stored_users, database):
    texts = (dump(row()), dump(row(), row(id="36", mobile="1")))
    dry = run(*texts, is_dry_run=True)
    with database.read() as db:
        assert db.scalars(select(AuditEvent)).all() == []
    assert stored_users() == []
    assert run(*texts) == dry


def test_the_next_account_gets_an_id_after_the_highest(run, register):
    run(dump(row(), row(id="17", mobile="13800138001", nick_name="bob")))
    assert register(mobile="13800138002").json["user"]["id"] == 36


def test_accounts_without_ids_get_those_of_an_empty_table(run, stored_users):
    columns = "nick_name, password_hash, mobile"
    sql = f"INSERT INTO info_user ({columns}) VALUES ('ann','h','13800138000'),('bob','h','13800138001');"
    run(sql)
    assert counts(run(sql)[0]) == (2, 0, 0, 2, 0)
    assert [(user.id, user.nick_name) for user in stored_users()] == [(1, "ann"), (2, "bob")]


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"mobile": None}, "mobile is not a mobile number"),
        ({"mobile": "admin"}, "mobile is not a mobile number"),
        ({"mobile": "12345678901"}, "mobile is not a mobile number"),
        ({"mobile": "1380013800"}, "mobile is not a mobile number"),
        ({"id": "x"}, "id is not an integer"),
        ({"id": "0"}, "id is not positive"),
        ({"signature": "长" * 513}, "signature is longer than 512 characters"),
        ({"create_time": "gestern"}, "create_time is not a time"),
        ({"more": "1"}, "12 values for 11 columns"),
    ],
)
def test_a_bad_row_is_refused_with_its_reason_and_the_others_arrive(run, stored_users, fields, reason):
    (report,) = run(dump(row(**fields), row(id="36", mobile="13800138001")))
    assert report.reasons == {reason: 1}
    assert [user.id for user in stored_users()] == [36]


@pytest.mark.any_database
@pytest.mark.parametrize("nick_name", ["13800138000", "138-0013-8000", "", None, "x" * 40, "\u200b"])
def test_a_nick_name_is_never_the_mobile(run, stored_users, nick_name):
    (report,) = run(dump(row(nick_name=nick_name)))
    assert stored_users()[0].nick_name.startswith("用户")
    assert counts(report) == (1, 1, 0, 0, 0)


def test_a_taken_nick_name_keeps_nobody_out(run, stored_users):
    text = dump(row(), row(id="36", mobile="13800138001"))
    (report,) = run(text)
    first, second = stored_users()
    assert (first.nick_name, second.nick_name[:2]) == ("ann", "用户")
    assert report.notes == {"the nick name is taken, a drawn one stays in its place": 1}
    assert counts(run(text)[0]) == (2, 0, 0, 2, 0)


def test_a_newer_dump_changes_all_but_a_taken_nick_name(run, stored_users):
    run(dump(row(nick_name="bob"), row(id="36", mobile="13800138001")))
    (report,) = run(dump(row(signature="new", update_time=EVENING)))
    assert counts(report) == (1, 0, 1, 0, 0)
    assert (stored_users()[0].nick_name, stored_users()[0].signature) == ("bob", "new")


@pytest.mark.any_database
@pytest.mark.parametrize(
    "stored",
    [
        HASH.removeprefix("pbkdf2:sha256:"),
        "correct horse battery",
        "pbkdf2:sha256:9999999999$salt$" + "0" * 64,
        "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2id$v=19$m=64,t=1000000,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
        "x" * 300,
        None,
    ],
)
def test_T28_a_hash_that_cannot_be_checked_is_not_taken_over(run, log_in, stored_users, stored):
    (report,) = run(dump(row(password_hash=stored)))
    assert counts(report) == (1, 1, 0, 0, 0)
    assert stored_users()[0].password_hash == "!"
    assert [note for note in report.notes if note.startswith("the password hash")]
    assert log_in().json["code"] == "credentials_wrong"
    assert counts(run(dump(row(password_hash=stored)))[0]) == (1, 0, 0, 1, 0)


def test_nobody_gets_the_account_of_another(run, register, stored_users):
    register()  # Gets the id 1.
    (report,) = run(dump(row(id="1", mobile="13800138001"), row(id="35"), row(id="36", mobile="13800138002")))
    assert report.reasons == {"its id belongs to another account": 1, "its mobile belongs to another account": 1}
    assert [(user.id, user.mobile) for user in stored_users()] == [(1, "+8613800138000"), (36, "+8613800138002")]


def test_an_account_that_was_deleted_here_stays_deleted(run, here, stored_users, clock):
    run(dump(row()))
    here(35, deleted_at=clock.now, mobile="deleted-35", nick_name="gone")
    (report,) = run(dump(row(update_time="2037-01-01 00:00:00")))
    assert report.reasons == {"the account was deleted here": 1}
    assert [(user.id, user.nick_name) for user in stored_users()] == [(35, "gone")]


def test_what_was_changed_here_since_is_kept(run, here, stored_users):
    run(dump(row()))
    here(35, signature="mine")
    (report,) = run(dump(row(signature="theirs")))
    assert counts(report) == (1, 0, 0, 1, 0)
    assert stored_users()[0].signature == "mine"
    assert report.notes == {"changed here since, kept as it is here": 1}


def test_a_login_here_keeps_the_new_hash_from_an_old_dump(run, log_in, stored_users):
    run(dump(row()))
    log_in()
    run(dump(row()))
    assert stored_users()[0].password_hash.startswith("hmac-sha256:")


def test_the_same_account_twice_in_a_file_is_one(run, stored_users):
    (report,) = run(dump(row(), row(signature="second")))
    assert counts(report) == (2, 1, 1, 0, 0)
    assert [(user.signature, user.update_time) for user in stored_users()] == [("second", NOON_UTC)]


def test_an_import_is_one_line_of_the_audit_log(run, database):
    run(dump(row(), row(id="36", mobile="x")))
    with database.read() as db:
        (line,) = db.scalars(select(AuditEvent)).all()
    assert (line.event, line.outcome, line.detail) == ("accounts_imported", "done", "1 written, 0 changed, 1 refused")


@pytest.fixture
def import_sql(app, tmp_path):
    """Call the command with a file."""

    def call(text, *options):
        path = tmp_path / "dump.sql"
        path.write_text(text, encoding="utf-8")
        return app.test_cli_runner().invoke(args=["import-sql", *options, str(path)])

    return call


def test_the_command_prints_a_report_without_personal_data(import_sql, stored_users, log_lines):
    rows = dump(row(), row(id="36", mobile="13900139000x"), row(id="37", nick_name="13800138001", mobile="13800138001"))
    result = import_sql(rows + "INSERT INTO info_news VALUES (1);")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:3] == [
        "dump.sql",
        "table      read  written  changed  unchanged  refused",
        "info_user     3        2        0          0        1",
    ]
    assert "info_user: 1 × refused: mobile is not a mobile number" in result.stdout
    assert "info_news: skipped, not a table of accounts (1 rows)" in result.stdout
    for secret in ("138001380", "13900139000", "ann", HASH, "pbkdf2"):
        assert secret not in result.output + str(log_lines)
    assert len(stored_users()) == 2


def test_a_dry_run_of_the_command_says_so(import_sql, stored_users):
    assert "dump.sql (dry run, nothing written)" in import_sql(dump(row()), "--dry-run").stdout
    assert stored_users() == []


def test_a_file_that_is_cut_off_writes_nothing(import_sql, stored_users):
    result = import_sql(dump(row())[:-20])
    assert (result.exit_code, "Nothing was written." in result.stderr) == (1, True)
    assert stored_users() == []


CODE = "271828"
WEAK = "a1b2c3"
WEAK_HASH = "pbkdf2:sha256:50000$b-salt$" + pbkdf2_hmac("sha256", WEAK.encode(), b"b-salt", 50000).hex()
NEEDS_PASSWORD = "is an administrator as soon as a new password is set by a code to the mobile"


@pytest.fixture
def reset(visitor, sms_service):
    """Set a new password by a code to the mobile."""

    def reset(password):
        sms_service.live[MOBILE, "reset_password"] = CODE
        body = {"mobile": MOBILE, "sms_code": CODE, "password": password}
        assert visitor.call("POST", "/api/v1/password-resets", body).status_code == 204

    return reset


@pytest.fixture
def by_code(log_in_by_code, sms_service):
    """Log in by a code to the mobile."""

    def enter():
        sms_service.live[MOBILE, "login"] = CODE
        return log_in_by_code(MOBILE, CODE)

    return enter


@pytest.fixture
def roles_of(claims_of):
    return lambda answer: claims_of(answer.json["access_token"])["roles"]


def needs_reset(answer):
    return (answer.status_code, answer.json["code"], answer.json["errno"], answer.json["errmsg"]) == (
        *(403, "password_reset_required", "4103", "请先重置密码"),
    )


def test_T46_a_role_comes_in_on_request_only(run, stored_users, audit):
    (report,) = run(dump(row(is_admin="1")))
    assert (stored_users()[0].is_admin, stored_users()[0].must_reset_password) == (False, False)
    assert report.notes == {"was an administrator there; roles come in with --with-roles alone": 1}
    assert audit("admin_granted") == []
    (report,) = run(dump(row(is_admin="1")), with_roles=True)
    assert (counts(report), report.notes) == ((1, 0, 1, 0, 0), {NEEDS_PASSWORD: 1})
    assert (stored_users()[0].is_admin, stored_users()[0].must_reset_password) == (True, True)
    assert [(line.user_id, line.detail) for line in audit("admin_granted")] == [(35, "import")]
    assert [report.notes for report in run(dump(row(is_admin="1")), with_roles=True)] == [{}]


@pytest.mark.any_database
@pytest.mark.parametrize(("password", "stored"), [(PASSWORD, HASH), (WEAK, WEAK_HASH)])
def test_T46_an_imported_role_works_after_a_new_password_and_not_before(
    run, log_in, by_code, reset, roles_of, refresh, password, stored
):
    text = dump(row(is_admin="1", password_hash=stored))
    (report,) = run(text, with_roles=True)
    assert (counts(report), report.notes) == ((1, 1, 0, 0, 0), {NEEDS_PASSWORD: 1})
    assert log_in(password="something else").json["code"] == "credentials_wrong"
    assert needs_reset(log_in(password=password))
    tokens = by_code()
    assert (roles_of(tokens), tokens.json["user"]["roles"]) == ([], [])
    assert roles_of(refresh(tokens.json["refresh_token"])) == []
    reset("another good password")
    assert roles_of(log_in(password="another good password")) == ["admin"]
    run(text, with_roles=True)
    run(text)
    assert roles_of(log_in(password="another good password")) == ["admin"]


def test_T46_a_session_by_code_may_set_the_password_and_a_session_by_the_old_one_cannot_be(
    run, by_code, visitor, roles_of, refresh
):
    run(dump(row(is_admin="1")), with_roles=True)
    tokens = by_code()
    person = visitor.signed_in(tokens)
    again = person.call("POST", "/api/v1/reauthentications", {"password": PASSWORD})
    assert needs_reset(again)
    body = {"new_password": "another good password"}
    assert person.call("PUT", "/api/v1/users/me/password", body).status_code == 204
    assert roles_of(refresh(tokens.json["refresh_token"])) == ["admin"]


def test_T46_an_account_that_was_used_here_gets_no_role(run, log_in, stored_users, claims_of):
    columns = "id, mobile, nick_name, password_hash, is_admin"
    sql = f"INSERT INTO info_user ({columns}) VALUES (7, '13800138000', 'ann', '{HASH}', {{}});"
    run(sql.format("0"))
    log_in()
    (report,) = run(sql.format("1"), with_roles=True)
    assert report.notes == {"was used here already, the role is left out (command: admin grant)": 1}
    assert stored_users()[0].roles == []


def test_an_import_takes_no_role_away(run, here, stored_users):
    run(dump(row()))
    here(35, is_admin=True, update_time=NOON_UTC)
    run(dump(row(is_admin="0", update_time=EVENING)), with_roles=True)
    assert stored_users()[0].roles == ["admin"]


def test_an_import_undoes_no_password_that_was_set_here(run, reset, log_in):
    sql = f"INSERT INTO info_user (id, mobile, nick_name, password_hash) VALUES (7, '13800138000', 'ann', '{HASH}');"
    run(sql)
    reset("another good password")
    assert counts(run(sql)[0]) == (1, 0, 0, 1, 0)
    assert log_in().json["code"] == "credentials_wrong"
    assert log_in(password="another good password").status_code == 201


@pytest.mark.any_database
@pytest.mark.parametrize("password", [WEAK, "password1", "13800138000", "xinjing2019", "ann ann ann"])
def test_T47_a_weak_password_of_a_dump_must_be_reset(run, log_in, by_code, reset, stored_users, password):
    stored = "pbkdf2:sha256:1000$salt$" + pbkdf2_hmac("sha256", password.encode(), b"salt", 1000).hex()
    run(dump(row(password_hash=stored)))
    assert log_in(password="something else").json["code"] == "credentials_wrong"
    assert [needs_reset(log_in(password=password)) for _ in range(2)] == [True, True]
    assert by_code().status_code == 201
    assert needs_reset(log_in(password=password))
    assert stored_users()[0].password_hash == stored
    reset("another good password")
    assert log_in(password="another good password").status_code == 201


def test_T47_a_wrong_password_is_told_alike_whether_weak_or_not(run, log_in):
    run(dump(row(password_hash=WEAK_HASH)))
    answers = [log_in(password=password).json for password in ("123456", "a long and good guess")]
    assert {(answer["code"], answer["errno"], answer["detail"]) for answer in answers} == {
        ("credentials_wrong", "4103", answers[0]["detail"])
    }


def test_T47_a_weak_password_of_a_dump_changes_no_password(run, by_code, visitor, clock):
    run(dump(row(password_hash=WEAK_HASH)))
    person = visitor.signed_in(by_code())
    clock.move(minutes=6)
    body = {"current_password": WEAK, "new_password": "another good password"}
    assert person.call("PUT", "/api/v1/users/me/password", body).json["code"] == "step_up_required"
    assert needs_reset(person.call("POST", "/api/v1/reauthentications", {"password": WEAK}))


def test_the_command_has_the_switch_for_roles(import_sql, stored_users):
    assert NEEDS_PASSWORD in import_sql(dump(row(is_admin="1")), "--with-roles").stdout
    assert stored_users()[0].is_admin


def test_of_accounts_that_are_written_together_each_meets_those_before_it(run, here, stored_users):
    """A batch of 200 and its rest, with rows in between that stand in the way of new ones."""
    run(dump(row(id="1", nick_name="first", mobile="13800138001", update_time=EVENING)))
    here(1, signature="mine")
    rows = [row(id=str(number), nick_name=f"n{number}", mobile=f"1391{number:07}") for number in range(2, 250)]
    rows[10:10] = [
        row(id="1", nick_name="first", mobile="13800138001", signature="theirs"),
        row(id="3", nick_name="again", mobile="13800138003"),
        row(id="900", nick_name="n4", mobile="13800138004"),
        row(id="901", nick_name="n240", mobile="13800138005"),
    ]
    (report,) = run(dump(*rows))
    assert counts(report) == (252, 250, 0, 1, 1)
    assert report.reasons == {"its id belongs to another account": 1}
    names = {user.id: user.nick_name for user in stored_users()}
    assert (names[1], names[2], names[249], names[901]) == ("first", "n2", "n249", "n240")
    assert names[900] not in ("n4", "n240")
    assert names[240] not in ("n4", "n240")
    assert len(names) == 251


def test_the_import_says_who_is_the_same_person_here_also_when_it_only_looks(run, register):
    register(mobile="13800138009")
    people = ImportedPeople()
    run(
        dump(
            row(id="35"),
            row(id="36", nick_name="b", mobile="13800138009"),
            row(id="37", nick_name="c", mobile="13800138037"),
            row(id="37", nick_name="d", mobile="13800138038"),
            row(id="38", nick_name="e", mobile="nobody"),
        ),
        is_dry_run=True,
        people=people,
    )
    assert people.same(range(30, 40)) == {35}
