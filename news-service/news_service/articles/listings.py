"""The SQL of the public lists: what is listed, in which order, and where a page begins (by keyset)."""

from datetime import datetime
from functools import cache
from typing import Any, NamedTuple  # Selects and rows of differing columns, parameters of differing types.

from sqlalchemy import BindParameter, Row, Select, bindparam, func, select

from chassis.database import UtcDateTime
from news_service.articles.tables import APPROVED, InfoNews
from news_service.cursors import Position, earlier_than, moment_at, read_by, sort_key

Rows = Select[*tuple[Any, ...]]
_LIMIT: BindParameter[int] = bindparam("limit")
_NOW: BindParameter[datetime] = bindparam("now", type_=UtcDateTime())
# Columns of the table, not of the class: SQLAlchemy's ORM has no part in what is only read.
_news = InfoNews.__table__.c
LIST_COLUMNS = (
    _news.id,
    _news.title,
    _news.source,
    _news.digest,
    _news.index_image_url,
    _news.category_id,
    _news.user_id,
    _news.clicks,
    _news.comment_count,
    _news.published_at,
    _news.update_time,
    _news.version,
)

IS_OUT = func.coalesce(_news.published_at, _NOW) <= _NOW
"""Published by the parameter ``now``, written so that no index has it: by the bare column a planner of a list in
another order would take the index of the newest, and sort."""


class ListName(NamedTuple):
    """One list: its order (``newest`` or ``hot``) and its filters."""

    order: str
    category_id: int | None = None
    author_id: int | None = None


def only_public(query: Rows) -> Rows:
    """Narrow a query to articles that the public may read: approved, and published by the parameter ``now``."""
    return query.where(_news.status == APPROVED, _news.published_at <= bindparam("now"))


PUBLIC_ARTICLE = only_public(select(*LIST_COLUMNS, _news.content)).where(_news.id == bindparam("article_id"))
"""The query of one article; its parameters are ``now`` and ``article_id``."""

ARTICLES_BY_IDS = select(*LIST_COLUMNS, _news.content, _news.status).where(
    _news.id.in_(bindparam("article_ids", expanding=True))
)
"""The query of several articles; its parameter is ``article_ids``.

Its caller tells which are public: with conditions on the state, SQLite reads all public articles by their index.
"""


def page_query(name: ListName, position: Position | None) -> Rows:
    """Select the articles of a list after a position, or from its start; `page_parameters` belong to it."""
    return _page_form(
        name.order,
        is_of_category=name.category_id is not None,
        is_of_author=name.author_id is not None,
        is_continued=position is not None,
    )


def page_parameters(name: ListName, position: Position | None, *, now: datetime, limit: int) -> dict[str, Any]:
    """Return the values of a `page_query`."""
    values = {"now": now, "limit": limit, "category_id": name.category_id, "author_id": name.author_id}
    if position is not None:
        # Of the newest, no position lies in the future, so that it takes the place of the moment as their upper end.
        key = position.key if name.order == "hot" else min(moment_at(position.key), now)
        values |= {"key": key, "item_id": position.item_id}
    return values


@cache  # Of 16 forms: building one takes longer than running it.
def _page_form(order: str, *, is_of_category: bool, is_of_author: bool, is_continued: bool) -> Rows:
    key = _news.hot_score if order == "hot" else _news.published_at
    query = select(*LIST_COLUMNS, _news.hot_score).where(_news.status == APPROVED)
    if order == "hot":
        query = query.where(IS_OUT)
    elif not is_continued:
        query = query.where(_news.published_at <= _NOW)
    if is_of_category:
        query = query.where(_news.category_id == bindparam("category_id"))
    if is_of_author:
        query = query.where(_news.user_id == bindparam("author_id"))
    if is_continued:
        query = query.where(earlier_than(key, _news.id))
    filters = "_of_category" if is_of_category else "_of_author" if is_of_author else ""
    query = query.order_by(key.desc(), _news.id.desc()).limit(_LIMIT)
    return read_by(f"ix_info_news_{order}{filters}", query, InfoNews.__table__)


def position_of(name: ListName, row: Row[*tuple[Any, ...]]) -> Position:
    """Return the position of a row in its list."""
    key = row.hot_score if name.order == "hot" else sort_key(row.published_at)
    return Position(key, row.id)
