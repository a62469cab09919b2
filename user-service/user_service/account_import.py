"""Imports the accounts of the course's dumps: table ``info_user``, its ids kept."""

from collections.abc import Iterator

from sqlalchemy import String
from sqlalchemy.orm import Session

from chassis.database import Database, utc_now
from chassis.dumps.files import DumpFile
from chassis.dumps.importing import ImportOptions, write_files
from chassis.dumps.report import ImportReport, TableReport
from chassis.dumps.sequences import move_past
from chassis.dumps.values import RowReader, RowRefused, ValueReader, Values
from chassis.errors import MobileInvalid, RequestInvalid
from chassis.mobiles import Mobile, parse_mobile
from user_service.audit import Happening, record
from user_service.foreign_hashes import foreign_check
from user_service.imported_accounts import ImportedAccounts
from user_service.models import Gender, User
from user_service.nick_names import checked_nick_name

_TABLE = User.__table__
# The classic order, for INSERTs without a column list.
_COLUMNS = (
    *("create_time", "update_time", "id", "nick_name", "password_hash", "mobile"),
    *("avatar_url", "last_login", "is_admin", "signature", "gender"),
)
# Read at any length, because `prepare` has more to say about them.
_PREPARED = ("nick_name", "password_hash", "mobile", "avatar_url", "gender")
_ALIASES = {"username": "mobile"}  # So one dump of 2020 calls it.


def import_files(
    database: Database, files: list[DumpFile], options: ImportOptions
) -> Iterator[tuple[DumpFile, ImportReport]]:
    """Import files in their order and report on each; no report holds anything of a row."""
    return write_files(
        database, files, lambda session, file: _import_file(session, file, options), is_dry_run=options.is_dry_run
    )


def _import_file(session: Session, file: DumpFile, options: ImportOptions) -> ImportReport:
    name = User.__tablename__
    report = ImportReport.of(file.rows, imported=(name,), skipped={}, otherwise="not a table of accounts")
    if not file.rows[name]:
        return report
    table = report.tables[name] = TableReport()
    kinds = {column.name: column.type for column in _TABLE.columns} | dict.fromkeys(_PREPARED, String())
    rows = RowReader(_COLUMNS, kinds, ValueReader(options.zone), table, aliases=_ALIASES)
    accounts = ImportedAccounts(session, table)
    with options.progress(file, file.path.stat().st_size) as on_bytes:
        for row in file.read(name, on_bytes):
            table.read += 1
            try:
                accounts.store(prepare(rows.read(row), table))
            except RowRefused as refusal:
                table.reasons[str(refusal)] += 1
    if not options.is_dry_run:  # PostgreSQL does not take a moved sequence back.
        move_past(session, _TABLE)
        record(session, Happening("accounts_imported", detail=_summary(table)), now=utc_now())
    return report


def _summary(table: TableReport) -> str:
    return f"{table.written} written, {table.changed} changed, {table.refused} refused"


def prepare(values: Values, report: TableReport) -> Values:
    """Return the values that can be stored, and note what is left out: nothing of that keeps an account out.

    Raises:
        RowRefused: the mobile is none, or the id cannot be one.
    """
    fit = {name: value for name, value in values.items() if value is not None or name not in ("id", "nick_name")}
    fit["mobile"] = _mobile(values)
    if int(str(fit.get("id", 1))) < 1:
        raise RowRefused("id is not positive")
    if fit.pop("avatar_url", None):
        report.notes["the avatar lies on another host and is left out"] += 1
    if fit.get("gender") not in (None, *Gender):
        report.notes["the gender is unknown and becomes MAN"] += 1
        fit["gender"] = Gender.MAN
    if fit.get("is_admin"):
        report.notes["is an administrator, here as there"] += 1
    try:
        if "nick_name" in fit:
            fit["nick_name"] = checked_nick_name(str(fit["nick_name"]))
    except RequestInvalid:  # The course names everybody by their mobile, and a nick name is public.
        del fit["nick_name"]
        report.notes["the nick name is a mobile or not allowed, a drawn one takes its place"] += 1
    if foreign_check(str(fit.get("password_hash"))) is None:
        fit.pop("password_hash", None)
        report.notes["the password hash has no known form or costs too much, the owner signs in by SMS code"] += 1
    return fit


def _mobile(values: Values) -> Mobile:
    try:
        return parse_mobile(str(values.get("mobile") or ""))
    except MobileInvalid as error:
        raise RowRefused("mobile is not a mobile number") from error
