"""Imports the accounts of the course's dumps from their table ``info_user``, and keeps their ids."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any  # A row's columns have any type.

from sqlalchemy import RowMapping, String, Table, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.database import Database, utc_now
from chassis.dumps.files import DumpFile
from chassis.dumps.id_sets import IdSet
from chassis.dumps.importing import ImportOptions, move_sequences, write_files
from chassis.dumps.report import ImportReport, TableReport
from chassis.dumps.values import RowReader, RowRefused, ValueReader, Values, is_newer_here
from chassis.errors import MobileInvalid, RequestInvalid
from chassis.mobiles import Mobile, parse_mobile
from chassis.texts import free_text
from user_service.accounts.nick_names import checked_nick_name, draw_nick_name
from user_service.audit.log import AuditEntry, write_audit_entry
from user_service.models import Gender, User, UserSession
from user_service.passwords.hashing import is_keyed, is_storable

_TABLE: Table = User.__table__  # type: ignore[assignment]
_NO_PASSWORD = "!"  # No form of any hash, so that nothing matches it.
_USUAL: Values = {"password_hash": _NO_PASSWORD, "is_admin": False, "must_reset_password": False}
_MOST_DRAWS = 6
_BATCH_ROWS = 200
_UNIQUE = ("id", "mobile", "nick_name")
WITH_ROLES = "with_roles"
ROLES_HELP = "Bring administrators, too; each needs a new password, by a code to the mobile, before the role works."
_TAKEN = "the nick name is taken, a drawn one stays in its place"
# The classic order, for INSERTs without a column list.
COLUMNS = (
    *("create_time", "update_time", "id", "nick_name", "password_hash", "mobile"),
    *("avatar_url", "last_login", "is_admin", "signature", "gender"),
)
# Read at any length, because `prepare` checks them.
_PREPARED = ("nick_name", "password_hash", "mobile", "avatar_url", "gender")
ALIASES = {"username": "mobile"}  # The name in one dump of 2020.


class ImportedPeople:
    """The ids of a dump that belong to the same people here: id and mobile are equal in each of their rows."""

    def __init__(self) -> None:
        self._same, self._others = IdSet(), IdSet()

    def add(self, values: Values, *, is_same: bool) -> None:
        """Note what became of one row. A row without an id stands for nobody whom others could name."""
        if isinstance(user_id := values.get("id"), int):
            (self._same if is_same else self._others).add(user_id)

    def same(self, accounts: Iterable[int]) -> set[int]:
        """Return those of some ids that belong to the same people here."""
        return {user_id for user_id in accounts if user_id in self._same and user_id not in self._others}


def import_files(
    database: Database, files: list[DumpFile], options: ImportOptions, *, people: ImportedPeople | None = None
) -> Iterator[tuple[DumpFile, ImportReport]]:
    """Import files in their order and report on each. No report holds data of a row.

    ``people`` is told who is the same here, also by a dry run: the import of the news asks for it.
    """
    told = people or ImportedPeople()
    return write_files(
        database, files, lambda session, file: _import_file(session, file, options, told), is_dry_run=options.is_dry_run
    )


def _import_file(session: Session, file: DumpFile, options: ImportOptions, people: ImportedPeople) -> ImportReport:
    name = User.__tablename__
    report = ImportReport.begin(file.rows, imported=(name,), skipped={}, otherwise="not a table of accounts")
    if not file.rows[name]:
        return report
    table = report.tables[name] = TableReport()
    kinds = {column.name: column.type for column in _TABLE.columns} | dict.fromkeys(_PREPARED, String())
    rows = RowReader(COLUMNS, kinds, ValueReader(options.zone), table, aliases=ALIASES)
    accounts = ImportedAccounts(session, table, people)
    with options.progress(file, file.path.stat().st_size) as on_bytes:
        for row in file.read_table(name, on_bytes):
            table.read += 1
            values: Values = {}
            try:
                values = rows.read_row(row)
                accounts.add(prepare(values, table, with_roles=WITH_ROLES in options.switches), row.line)
            except RowRefused as refusal:
                accounts.refuse(values, refusal, row.line)
        accounts.finish()
    if not options.is_dry_run:  # PostgreSQL does not take a moved sequence back.
        move_sequences(session, _TABLE)
        write_audit_entry(session, AuditEntry("accounts_imported", detail=_summary(table)), now=utc_now())
    return report


def _summary(table: TableReport) -> str:
    return f"{table.written} written, {table.changed} changed, {table.refused} refused"


def prepare(values: Values, report: TableReport, *, with_roles: bool) -> Values:
    """Return the values that can be stored, and note what is left out. What is left out refuses no account.

    ``is_admin`` is among them only if it is true and roles are wanted: an import never takes a role away.

    Raises:
        RowRefused: the mobile is no mobile number, or the id is not positive.
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
    _prepare_role(fit, report, with_roles=with_roles)
    _prepare_texts(fit, report)
    if not is_storable(str(fit.get("password_hash"))):
        fit.pop("password_hash", None)
        report.notes["the password hash has no known form or costs too much, the owner signs in by SMS code"] += 1
    return fit


def _prepare_role(fit: Values, report: TableReport, *, with_roles: bool) -> None:
    is_admin = fit.pop("is_admin", None)
    if is_admin and with_roles:
        fit["is_admin"] = True
    elif is_admin:
        report.notes["was an administrator there; roles come in with --with-roles alone"] += 1


def _prepare_texts(fit: Values, report: TableReport) -> None:
    if fit.get("signature"):
        fit["signature"] = free_text(str(fit["signature"])) or None
    try:
        if "nick_name" in fit:
            fit["nick_name"] = checked_nick_name(str(fit["nick_name"]))
    except RequestInvalid:  # The course uses mobiles as nick names, but nick names are public here.
        del fit["nick_name"]
        report.notes["the nick name is a mobile or not allowed, a drawn one takes its place"] += 1


def _reset_for_role(changes: Values) -> Values:
    """Return what comes with a role: nobody may hold it who only knows the password of a dump."""
    return {"must_reset_password": True} if changes.get("is_admin") else {}


def _mobile(values: Values) -> Mobile:
    try:
        return parse_mobile(str(values.get("mobile") or ""))
    except MobileInvalid as error:
        raise RowRefused("mobile is not a mobile number") from error


@dataclass(frozen=True)
class ImportedAccounts:
    """Stores prepared accounts within the session's transaction; call `finish` at the end.

    Two accounts are the same if both id and mobile are equal; an id or a mobile never moves to another account. The
    unique constraints decide, so people can register during an import. Accounts that are new in all are written
    together, which is ten times as fast; the others, and all that a constraint refuses, one by one.
    """

    session: Session
    report: TableReport
    people: ImportedPeople
    waiting: list[tuple[Values, int]] = field(default_factory=list)

    def add(self, values: Values, line: int) -> None:
        """Store one account with those before it, or count why it is refused."""
        self.waiting.append((values, line))
        if len(self.waiting) == _BATCH_ROWS:
            self.finish()

    def refuse(self, values: Values, refusal: RowRefused, line: int) -> None:
        """Count an account that is not stored."""
        self.report.refuse(str(refusal), line)
        self.people.add(values, is_same=False)

    def finish(self) -> None:
        """Store the accounts that wait."""
        new = self._new_rows()
        if not self._are_written(new.values()):
            new = {}
        for index, (values, line) in enumerate(self.waiting):
            try:
                if index in new:
                    self.report.written += 1
                    self._note_role(new[index])
                else:
                    self.store(values)
                self.people.add(values, is_same=True)
            except RowRefused as refusal:
                self.refuse(values, refusal, line)
        self.waiting.clear()

    def _new_rows(self) -> dict[int, Values]:
        """Return the rows, by their place among those that wait, whose id, mobile and nick name nobody has.

        Nobody here, and nobody who stands before them: such a row must meet the one that was written first.
        """
        taken = {name: self._taken(name) for name in _UNIQUE}
        new: dict[int, Values] = {}
        for index, (values, _) in enumerate(self.waiting):
            is_new = all(name in values and values[name] not in taken[name] for name in _UNIQUE)
            for name in _UNIQUE:
                taken[name].add(values.get(name))
            if is_new:
                new[index] = _USUAL | values | _reset_for_role(values)
        return new

    def _are_written(self, rows: Iterable[Values]) -> bool:
        """Write new rows, those with the same columns in one statement; say whether no constraint was against it."""
        groups = defaultdict[tuple[str, ...], list[Values]](list)
        for row in rows:
            groups[tuple(row)].append(row)
        return self._is_done(*((insert(_TABLE), group) for group in groups.values()))

    def _taken(self, name: str) -> set[object]:
        column = _TABLE.c[name]
        wanted = [values[name] for values, _ in self.waiting if name in values]
        return set(self.session.scalars(select(column).where(column.in_(wanted))))

    def store(self, values: Values) -> None:
        """Store one account.

        Raises:
            RowRefused: its id or mobile belongs to another account, or it was deleted here.
        """
        known = self._find(values)
        if known is None:
            self._write(values)
            return
        changes = self._changes(known, values)
        if changes and is_newer_here(known["update_time"], values):
            self.report.notes["changed here since, kept as it is here"] += 1
            changes = {}
        changes |= _reset_for_role(changes)
        is_changed = bool(changes) and self._change(known["id"], changes, values)
        if is_changed:
            self._note_role({"id": known["id"], **values, **changes})
        self.report.changed += is_changed
        self.report.unchanged += not is_changed

    def _changes(self, known: RowMapping, values: Values) -> Values:
        """Return what a row of the dump changes in an account. A password that was set here stays in any case."""
        changes = {name: value for name, value in values.items() if known[name] != value}
        if is_keyed(known["password_hash"]):
            changes.pop("password_hash", None)
        sessions = select(UserSession.id).where(UserSession.user_id == known["id"]).limit(1)
        if "is_admin" in changes and self.session.scalar(sessions) is not None:
            # A session of these minutes could set the new password without a proof of the mobile.
            self.report.notes["was used here already, the role is left out (command: admin grant)"] += 1
            del changes["is_admin"]
        return changes

    def _find(self, values: Values) -> RowMapping | None:
        columns = _TABLE.c
        is_it = columns.mobile == values["mobile"]
        if "id" in values:
            is_it = or_(is_it, columns.id == values["id"])
        rows = self.session.execute(select(_TABLE).where(is_it).with_for_update()).mappings().all()
        for row in rows:
            if row["id"] == values.get("id") and row["deleted_at"] is not None:
                raise RowRefused("the account was deleted here")
            if row["mobile"] != values["mobile"]:
                raise RowRefused("its id belongs to another account")
            if row["id"] != values.get("id", row["id"]):
                raise RowRefused("its mobile belongs to another account")
        return rows[0] if rows else None

    def _write(self, values: Values) -> None:
        nick_name = values.get("nick_name")
        # The ids that an empty table would give: 1, 2, 3 in the order of the file.
        next_id = (self.session.scalar(select(func.max(_TABLE.c.id))) or 0) + 1
        for attempt in range(_MOST_DRAWS):
            name = nick_name if nick_name and not attempt else draw_nick_name(attempt)
            row = {"id": next_id} | _USUAL | values | {"nick_name": name}
            row |= _reset_for_role(row)
            if self._is_done((insert(_TABLE).values(**row), None)):
                self.report.written += 1
                self._note_role(row)
                if nick_name not in (None, name):
                    self.report.notes[_TAKEN] += 1
                return
        raise RowRefused("its id or mobile was taken while it was written")

    def _change(self, user_id: int, changes: Values, values: Values) -> bool:
        """Change an account, except a nick name that another account has; say whether anything changed."""
        # update_time is always set. Otherwise it would be the time of the import, and the row newer than any dump.
        times = {name: value for name, value in values.items() if name == "update_time"}
        statement = update(_TABLE).where(_TABLE.c.id == user_id)
        if self._is_done((statement.values(**changes | times), None)):
            return True
        self.report.notes[_TAKEN] += 1
        rest = {name: value for name, value in changes.items() if name != "nick_name"}
        return bool(rest) and self._is_done((statement.values(**rest | times), None))

    def _note_role(self, row: Values) -> None:
        """Report and audit a role that came in; ``row`` has ``id``, ``mobile`` and what was written."""
        if row.get("must_reset_password"):
            self.report.notes["is an administrator as soon as a new password is set by a code to the mobile"] += 1
            mobile = Mobile(str(row["mobile"]))
            entry = AuditEntry("admin_granted", user_id=int(str(row["id"])), mobile=mobile, detail="import")
            write_audit_entry(self.session, entry, now=utc_now())

    def _is_done(self, *statements: tuple[Any, list[Values] | None]) -> bool:
        """Execute statements with their rows; say whether no constraint was against it, else nothing is changed."""
        try:
            with self.session.begin_nested():
                for statement, rows in statements:
                    self.session.execute(statement, rows)
        except IntegrityError:
            return False
        return True
