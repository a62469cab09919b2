"""Stores the accounts of a dump: written, changed, left alone, or refused where they would be another's."""

from typing import Any  # A row's columns have any type.

from sqlalchemy import RowMapping, Table, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.dumps.report import TableReport
from chassis.dumps.values import RowRefused, Values, is_newer_here
from user_service.models import User
from user_service.nick_names import draw_nick_name

_NO_PASSWORD = "!"  # No form of any hash, so that nothing matches it.
_MOST_DRAWS = 6
_TAKEN = "the nick name is taken, a drawn one stays in its place"


class ImportedAccounts:
    """Stores prepared accounts within the session's transaction.

    An account is the same if id and mobile are; nobody's id or mobile ever goes to another. The constraints decide,
    so that people may register meanwhile.
    """

    def __init__(self, session: Session, report: TableReport) -> None:
        self._session = session
        self._report = report
        self._table: Table = User.metadata.tables[User.__tablename__]

    def store(self, values: Values) -> None:
        """Store one account.

        Raises:
            RowRefused: its id or mobile belongs to another account, or it was deleted here.
        """
        known = self._find(values)
        if known is None:
            self._write(values)
            return
        changes = {name: value for name, value in values.items() if known[name] != value}
        if changes and is_newer_here(known["update_time"], values):
            self._report.notes["changed here since, kept as it is here"] += 1
            changes = {}
        is_changed = bool(changes) and self._change(known["id"], changes, values)
        self._report.changed += is_changed
        self._report.unchanged += not is_changed

    def _find(self, values: Values) -> RowMapping | None:
        columns = self._table.c
        is_it = columns.mobile == values["mobile"]
        if "id" in values:
            is_it = or_(is_it, columns.id == values["id"])
        rows = self._session.execute(select(self._table).where(is_it).with_for_update()).mappings().all()
        for row in rows:
            if row["id"] == values.get("id") and row["deleted_at"] is not None:
                raise RowRefused("the account was deleted here")
            if row["mobile"] != values["mobile"]:
                raise RowRefused("its id belongs to another account")
            if row["id"] != values.get("id", row["id"]):
                raise RowRefused("its mobile belongs to another account")
        return rows[0] if rows else None

    def _write(self, values: Values) -> None:
        wanted = values.get("nick_name")
        # As an empty table gives them: 1, 2, 3 in the order of the file.
        next_id = (self._session.scalar(select(func.max(self._table.c.id))) or 0) + 1
        usual = {"id": next_id, "password_hash": _NO_PASSWORD}
        for attempt in range(_MOST_DRAWS):
            name = wanted if wanted and not attempt else draw_nick_name(attempt)
            if self._is_done(insert(self._table).values(**usual | values | {"nick_name": name})):
                self._report.written += 1
                if wanted not in (None, name):
                    self._report.notes[_TAKEN] += 1
                return
        raise RowRefused("its id or mobile was taken while it was written")

    def _change(self, user_id: int, changes: Values, values: Values) -> bool:
        """Change an account, but for a nick name that another has; say whether anything changed."""
        # Named even if it stays: else it would become the time of the import, and the row newer than any dump.
        times = {name: value for name, value in values.items() if name == "update_time"}
        statement = update(self._table).where(self._table.c.id == user_id)
        if self._is_done(statement.values(**changes | times)):
            return True
        self._report.notes[_TAKEN] += 1
        rest = {name: value for name, value in changes.items() if name != "nick_name"}
        return bool(rest) and self._is_done(statement.values(**rest | times))

    def _is_done(self, statement: Any) -> bool:
        try:
            with self._session.begin_nested():
                self._session.execute(statement)
        except IntegrityError:
            return False
        return True
