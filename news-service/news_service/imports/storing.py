"""Stores prepared values: a new row is written, a differing one changed, an equal one left alone."""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import func, inspect, select, tuple_
from sqlalchemy.orm import Session

from chassis.dumps.id_sets import IdSet
from chassis.dumps.report import TableReport
from chassis.dumps.values import RowRefused, Values, is_newer_here
from chassis.texts import free_text
from news_service.articles.tables import IN_REVIEW, InfoNews
from news_service.comments.tables import InfoComment
from news_service.imports.layouts import KnownIds, Layout
from news_service.readers.tables import InfoUserCollection, InfoUserFans
from news_service.tables import Base

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RowStore:
    """The rows of one table. ``touched_articles`` are the articles whose counts and scores must be computed again.

    Rows come in batches: `begin_batch` reads what is here of the batch, `end_batch` writes all its changes. A row that
    comes twice in a batch meets itself, because `store` puts what it writes beside what was read.
    """

    def __init__(self, session: Session, layout: Layout, known: KnownIds, report: TableReport) -> None:
        self.touched_articles = IdSet()
        self._here: dict[tuple[object, ...], Base | None] = {}
        self._highest: int | None = None
        self._session = session
        self._layout = layout
        self._known = known
        self._report = report
        self._key = tuple(str(column.name) for column in inspect(layout.model).primary_key)

    def begin_batch(self, batch: Iterable[Values]) -> None:
        """Read the rows that are here of a batch, by their keys, or by natural keys where a dump has no ids."""
        model, keys, names = self._layout.model, set(), set()
        for values in batch:
            if self._has_key(values):
                keys.add(tuple(values[name] for name in self._key))
            elif self._layout.natural_key:
                names.add(free_text(str(values.get(self._layout.natural_key[0]))))  # As `prepare` makes it.
        self._here = dict.fromkeys(keys)
        columns = model.__table__.c
        if keys:
            is_key = tuple_(*(columns[name] for name in self._key)).in_(keys)
            self._remember(self._session.scalars(select(model).where(is_key)), self._key)
        if names:
            is_named = columns[self._layout.natural_key[0]].in_(names)
            rows = self._session.scalars(select(model).where(is_named).order_by(columns.id.desc()))
            self._remember(rows, self._layout.natural_key)

    def end_batch(self) -> None:
        """Write what the batch changes."""
        self._session.flush()
        self._session.expunge_all()
        self._here, self._highest = {}, None

    def _remember(self, rows: Iterable[Base], names: tuple[str, ...]) -> None:
        for row in rows:
            self._here[tuple(getattr(row, name) for name in names)] = row

    def _has_key(self, values: Values) -> bool:
        return all(values.get(name) is not None for name in self._key)

    def store(self, values: Values) -> None:
        """Store one row of the batch.

        Raises:
            RowRefused: its id belongs to something else here.
        """
        row = self._find(values)
        if row is None:
            self._write(values)
        elif self._is_anothers(row, values):
            self._report.unchanged += 1
            self._report.notes["belongs to another user here, kept as it is here"] += 1
        else:
            self._change(row, values)

    def _find(self, values: Values) -> Base | None:
        names = self._key if self._has_key(values) else self._layout.natural_key
        return self._here.get(tuple(values.get(name) for name in names))

    def _is_anothers(self, row: Base, values: Values) -> bool:
        """Say whether an article or comment here has a user, and the dump's row is not known to be of the same one."""
        if not isinstance(row, InfoNews | InfoComment) or row.user_id in (None, values.get("user_id")):
            return False
        if row.create_time != values.get("create_time"):
            self._known.forget(self._session, type(row), row.id)
            raise RowRefused("its id belongs to something else of another user here")
        return True

    def _write(self, values: Values) -> None:
        if self._key == ("id",) and "id" not in values:
            values["id"] = self._next_id()
        row = self._layout.model(**values)
        if isinstance(row, InfoNews):
            row.published_at = _published(row)
            _queue(row)
        elif isinstance(row, InfoUserCollection | InfoUserFans) and row.create_time is None:
            row.create_time = _EPOCH  # Lists are in the order of these times.
        self._session.add(row)
        self._remember([row], self._key)
        if self._layout.natural_key:
            self._remember([row], self._layout.natural_key)
        self._report.written += 1
        self._known.add(row)
        self._touch(row)

    def _next_id(self) -> int:
        """Give the id that an empty classic table would give: 1, 2, 3 in the order of the file."""
        if self._highest is None:  # This query writes what waits, so it counts the rows of the batch, too.
            self._highest = self._session.scalar(select(func.max(self._layout.model.__table__.c.id))) or 0
        self._highest += 1
        return self._highest

    def _change(self, row: Base, values: Values) -> None:
        if isinstance(row, InfoNews) and "clicks" in values:
            values["clicks"] = max(int(str(values["clicks"])), row.clicks)  # Views that were counted here stay.
        elif isinstance(row, InfoComment):
            values["like_count"] = max(int(str(values["like_count"])), row.like_count)  # And likes.
        elif isinstance(row, InfoUserCollection) and values.get("create_time") is None:
            values.pop("create_time", None)
        changes = {name: value for name, value in values.items() if getattr(row, name) != value}
        if not changes or self._is_newer_here(row, values):
            self._report.unchanged += 1
            return
        follows = isinstance(row, InfoNews) and row.published_at == _published(row)
        for name, value in changes.items():
            setattr(row, name, value)
        if isinstance(row, InfoNews):
            row.version += 1
            row.published_at = _published(row) if follows else row.published_at
            _queue(row)
        self._report.changed += 1
        self._touch(row)

    def _is_newer_here(self, row: Base, values: Values) -> bool:
        ours = getattr(row, "update_time", None)
        if not is_newer_here(ours, values):
            return False
        self._report.notes["edited here since, kept as it is here"] += 1
        return True

    def _touch(self, row: Base) -> None:
        if isinstance(row, InfoNews):
            self.touched_articles.add(row.id)
        elif isinstance(row, InfoComment | InfoUserCollection):
            self.touched_articles.add(row.news_id)


def _queue(article: InfoNews) -> None:
    """Give an article that waits for its review its place in the queue, among those that were written as early."""
    if article.status == IN_REVIEW and article.submitted_at is None:
        article.submitted_at = _published(article)


def _published(article: InfoNews) -> datetime:
    return article.create_time or article.update_time or _EPOCH
