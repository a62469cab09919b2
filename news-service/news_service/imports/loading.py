"""Loads the rows of one table from a dump into the database, and counts what happens to them."""

from sqlalchemy import inspect

from chassis.dumps.id_sets import IdSet
from chassis.dumps.statements import DumpRow
from chassis.dumps.values import RowReader, RowRefused, ValueReader, Values
from news_service.imports.layouts import Layout, ParentMissing, Preparation
from news_service.imports.storing import RowStore

# Of one statement: a row of its own takes three times as long, and a server refuses packets of 16 MB.
_BATCH_ROWS = 200
_BATCH_CHARACTERS = 2_000_000


class TableLoader:
    """Loads the rows of one table within the session's transaction. Call `finish` at the end."""

    def __init__(self, layout: Layout, preparation: Preparation, reader: ValueReader) -> None:
        self._report = preparation.report
        self._layout = layout
        self._preparation = preparation
        self._store = RowStore(preparation.session, layout, preparation.known, self._report)
        self._columns = {column.name: column for column in inspect(layout.model).local_table.columns}
        kinds = {name: column.type for name, column in self._columns.items()}
        self._rows = RowReader(layout.columns, kinds, reader, self._report)
        self._batch: list[tuple[Values, int]] = []
        self._batch_characters = 0
        self._waiting: list[tuple[Values, int]] = []

    def add(self, row: DumpRow) -> None:
        """Store one row with those before it, or count why it is refused."""
        self._report.read += 1
        try:
            values = self._rows.read_row(row)
        except RowRefused as refusal:
            self._report.refuse(str(refusal), row.line)
            return
        self._batch.append((values, row.line))
        self._batch_characters += sum(len(value) for value in values.values() if isinstance(value, str))
        if len(self._batch) >= _BATCH_ROWS or self._batch_characters >= _BATCH_CHARACTERS:
            self._store_batch()

    def _store_batch(self) -> None:
        batch, self._batch, self._batch_characters = self._batch, [], 0
        self._store.begin_batch(values for values, _ in batch)
        for values, line in batch:
            self._prepare_and_store(values, line)
        self._store.end_batch()

    def finish(self) -> IdSet:
        """Store the answers that came before their comments, and return the ids of the articles that were touched.

        Answers to comments that are not there become comments of their own.
        """
        self._store_batch()
        while self._waiting:
            count = len(self._waiting)
            self._batch, self._waiting = self._waiting, []
            self._store_batch()
            if len(self._waiting) == count:
                self._drop_parents()
        return self._store.touched_articles

    def _drop_parents(self) -> None:
        """Let the answers that wait for no waiting comment, or else the first one, answer nothing."""
        ids = {values.get("id") for values, _ in self._waiting}
        orphans = [values for values, _ in self._waiting if values["parent_id"] not in ids]
        for values in orphans or [self._waiting[0][0]]:
            values["parent_id"] = None
            self._report.notes["the comment that it answers is not there"] += 1

    def _prepare_and_store(self, values: Values, line: int) -> None:
        prepared = dict(values)
        try:
            self._layout.prepare(prepared, self._preparation)
            self._check_required(prepared)
            self._store.store(prepared)
        except ParentMissing:
            self._waiting.append((values, line))
        except RowRefused as refusal:
            self._report.refuse(str(refusal), line)

    def _check_required(self, values: Values) -> None:
        may_lack_id = bool(self._layout.natural_key)
        for name in self._layout.columns:
            is_left_out = name == "id" and may_lack_id and "id" not in values
            if not is_left_out and not self._columns[name].nullable and values.get(name) is None:
                raise RowRefused(f"{name} is NULL or missing")
