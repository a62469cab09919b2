"""Loads the rows of one table from a dump into the database, and counts what happens to them."""

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from chassis.dumps.report import TableReport
from chassis.dumps.statements import DumpRow
from chassis.dumps.values import RowReader, RowRefused, ValueReader, Values
from news_service.dumps.layouts import KnownIds, Layout, ParentMissing, Preparation
from news_service.dumps.storing import RowStore


class TableLoader:
    """Loads the rows of one table within the session's transaction. Call `finish` at the end."""

    def __init__(self, session: Session, layout: Layout, *, known: KnownIds, reader: ValueReader) -> None:
        self.report = TableReport()
        self._layout = layout
        self._preparation = Preparation(session, known, self.report)
        self._store = RowStore(session, layout, known, self.report)
        self._columns = {column.name: column for column in inspect(layout.model).local_table.columns}
        kinds = {name: column.type for name, column in self._columns.items()}
        self._rows = RowReader(layout.columns, kinds, reader, self.report)
        self._waiting: list[Values] = []

    def add(self, row: DumpRow) -> None:
        """Store one row, or count why it is refused."""
        self.report.read += 1
        try:
            self._prepare_and_store(self._rows.read_row(row))
        except RowRefused as refusal:
            self.report.refuse(str(refusal), row.line)

    def finish(self) -> set[int]:
        """Store the answers that came before their comments, and return the ids of the articles that were touched.

        Answers to comments that are not there become comments of their own.
        """
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            for values in waiting:
                self._prepare_and_store(values)
            if len(self._waiting) == len(waiting):
                self._waiting[0]["parent_id"] = None
                self.report.notes["the comment that it answers is not there"] += 1
        return self._store.touched_articles

    def _prepare_and_store(self, values: Values) -> None:
        prepared = dict(values)
        try:
            self._layout.prepare(prepared, self._preparation)
        except ParentMissing:
            self._waiting.append(values)
            return
        self._check_required(prepared)
        self._store.store(prepared)

    def _check_required(self, values: Values) -> None:
        may_lack_id = bool(self._layout.natural_key)
        for name in self._layout.columns:
            is_left_out = name == "id" and may_lack_id and "id" not in values
            if not is_left_out and not self._columns[name].nullable and values.get(name) is None:
                raise RowRefused(f"{name} is NULL or missing")
