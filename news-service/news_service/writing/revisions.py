"""The versions of an article: kept with each save, listed, read and restored by its author and by editors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any  # Rows of differing columns.

from sqlalchemy import Row, bindparam, delete, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import NotFound
from chassis.identity import Caller, has_role
from news_service.articles.tables import InfoNews, NewsRevision
from news_service.cursors import KeysetPage, Position, cut_page, read_cursor
from news_service.tables import HIGHEST_ID

KEPT_REVISIONS = 50
TEXT_COLUMNS = ("title", "source", "digest", "content", "markdown", "index_image_url", "category_id")
_news = InfoNews.__table__.c
_revisions = NewsRevision.__table__.c
_AUTHOR = select(_news.user_id).where(_news.id == bindparam("article_id"))
_ITEMS = (
    select(_revisions.version, _revisions.saved_at, _revisions.editor_id, _revisions.title)
    .where(_revisions.news_id == bindparam("article_id"), _revisions.version < bindparam("before"))
    .order_by(_revisions.version.desc())
    .limit(bindparam("limit"))
)
_ONE = select(NewsRevision.__table__).where(
    _revisions.news_id == bindparam("article_id"), _revisions.version == bindparam("version")
)


def keep_revision(session: Session, article: InfoNews, *, editor_id: int | None, now: datetime) -> None:
    """Keep what a locked article says in its present version, unless it is kept; versions before the last 50 go."""
    if session.get(NewsRevision, (article.id, article.version)) is None:
        texts = {name: getattr(article, name) for name in TEXT_COLUMNS}
        session.add(
            NewsRevision(news_id=article.id, version=article.version, saved_at=now, editor_id=editor_id, **texts)
        )
        if article.version > KEPT_REVISIONS:
            outdated = NewsRevision.version <= article.version - KEPT_REVISIONS
            session.execute(
                delete(NewsRevision)
                .where(NewsRevision.news_id == article.id, outdated)
                .execution_options(synchronize_session=False)
            )


@dataclass(frozen=True)
class Revisions:
    """Reads the kept versions; for others than the author and editors there are none (NotFound)."""

    database: Database

    def list_revisions(
        self, caller: Caller, article_id: int, *, cursor: str | None, limit: int
    ) -> KeysetPage[Row[Any]]:
        """Return a page of versions without their texts, the newest first.

        Raises:
            NotFound: there is no such article for the caller.
            RequestInvalid: the cursor is broken or belongs to another list.
        """
        name = ("revisions", article_id)
        position = read_cursor(cursor, name) or Position(0, HIGHEST_ID)
        self._check_caller(caller, article_id)
        values = {"article_id": article_id, "before": min(position.item_id, HIGHEST_ID), "limit": limit + 1}
        rows = self.database.read_rows(_ITEMS, values)
        return cut_page(rows, limit, name, lambda row: Position(0, row.version))

    def read_revision(self, caller: Caller, article_id: int, version: int) -> Row[Any]:
        """Return one version with its text; raises NotFound."""
        self._check_caller(caller, article_id)
        rows: Sequence[Row[Any]] = ()
        if 0 < version <= HIGHEST_ID:
            rows = self.database.read_rows(_ONE, {"article_id": article_id, "version": version})
        if not rows:
            raise NotFound
        return rows[0]

    def _check_caller(self, caller: Caller, article_id: int) -> None:
        if not 0 < article_id <= HIGHEST_ID:
            raise NotFound
        rows = self.database.read_rows(_AUTHOR, {"article_id": article_id})
        if not rows or (rows[0].user_id != caller.user_id and not has_role(caller.roles, "editor")):
            raise NotFound
