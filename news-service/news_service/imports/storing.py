"""Stores prepared values: a new row is written, a differing one changed, an equal one left alone."""

from datetime import UTC, datetime

from sqlalchemy import func, inspect, select
from sqlalchemy.orm import Session

from chassis.dumps.report import TableReport
from chassis.dumps.values import RowRefused, Values, is_newer_here
from news_service.articles.tables import IN_REVIEW, InfoNews
from news_service.comments.tables import InfoComment
from news_service.imports.layouts import KnownIds, Layout
from news_service.readers.tables import InfoUserCollection, InfoUserFans
from news_service.tables import Base

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RowStore:
    """The rows of one table. ``touched_articles`` are the articles whose counts and scores must be computed again."""

    def __init__(self, session: Session, layout: Layout, known: KnownIds, report: TableReport) -> None:
        self.touched_articles: set[int] = set()
        self._session = session
        self._layout = layout
        self._known = known
        self._report = report
        self._key = tuple(str(column.name) for column in inspect(layout.model).primary_key)

    def store(self, values: Values) -> None:
        """Store one row.

        Raises:
            RowRefused: its id belongs to something else here.
        """
        row = self._find(values)
        if row is None:
            row = self._write(values)
        elif self._is_anothers(row, values):
            self._report.unchanged += 1
            self._report.notes["belongs to another user here, kept as it is here"] += 1
        else:
            self._change(row, values)
        # Row by row, so that a second row with the same id in a file meets the first, and memory stays small.
        self._session.flush()
        self._session.expunge(row)

    def _find(self, values: Values) -> Base | None:
        if all(name in values for name in self._key):
            return self._session.get(self._layout.model, tuple(values[name] for name in self._key))
        query = select(self._layout.model).filter_by(**{name: values.get(name) for name in self._layout.natural_key})
        return self._session.scalars(query.limit(1)).first()

    def _is_anothers(self, row: Base, values: Values) -> bool:
        """Say whether an article or comment here has a user, and the dump's row is not known to be of the same one."""
        if not isinstance(row, InfoNews | InfoComment) or row.user_id in (None, values.get("user_id")):
            return False
        if row.create_time != values.get("create_time"):
            self._known.forget(self._session, type(row), row.id)
            raise RowRefused("its id belongs to something else of another user here")
        return True

    def _write(self, values: Values) -> Base:
        if self._key == ("id",) and "id" not in values:
            # As an empty classic table gives them: 1, 2, 3 in the order of the file.
            highest = self._session.scalar(select(func.max(self._layout.model.__table__.c.id)))
            values["id"] = (highest or 0) + 1
        row = self._layout.model(**values)
        if isinstance(row, InfoNews):
            row.published_at = _published(row)
            _queue(row)
        elif isinstance(row, InfoUserCollection | InfoUserFans) and row.create_time is None:
            row.create_time = _EPOCH  # Lists are in the order of these times.
        self._session.add(row)
        self._report.written += 1
        self._known.add(row)
        self._touch(row)
        return row

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
