"""The SQL of the public lists: what is listed, in which order, and where a page begins (by keyset)."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVarTuple  # Any: selects and rows of differing columns.

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select

from news_service.cursors import ListName, Position
from news_service.models import APPROVED, InfoNews

Columns = TypeVarTuple("Columns")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
LIST_COLUMNS = (
    InfoNews.id,
    InfoNews.title,
    InfoNews.source,
    InfoNews.digest,
    InfoNews.index_image_url,
    InfoNews.category_id,
    InfoNews.user_id,
    InfoNews.clicks,
    InfoNews.comment_count,
    InfoNews.published_at,
    InfoNews.version,
)


def only_public(query: Select[*Columns], now: datetime) -> Select[*Columns]:
    """Narrow a query to articles that the public may read: approved, and published by now."""
    return query.where(InfoNews.status == APPROVED, InfoNews.published_at <= now)


def page_query(name: ListName, position: Position | None, *, now: datetime) -> Select[*tuple[Any, ...]]:
    """Select the articles of a list after a position, or from its start."""
    query = only_public(select(*LIST_COLUMNS, InfoNews.hot_score), now)
    if name.category_id is not None:
        query = query.where(InfoNews.category_id == name.category_id)
    if name.author_id is not None:
        query = query.where(InfoNews.user_id == name.author_id)
    if position is not None:
        query = query.where(_after(name, position))
    order = InfoNews.hot_score if name.order == "hot" else InfoNews.published_at
    return query.order_by(order.desc(), InfoNews.id.desc())


def position_of(name: ListName, row: Row[*tuple[Any, ...]]) -> Position:
    """Return the position of a row in its list."""
    key = row.hot_score if name.order == "hot" else (row.published_at - _EPOCH) // _MICROSECOND
    return Position(key, row.id)


def _after(name: ListName, position: Position) -> ColumnElement[bool]:
    # Row values are not compared as such, because MariaDB uses no index for that.
    if name.order == "hot":
        below, equal = InfoNews.hot_score <= position.key, InfoNews.hot_score < position.key
    else:
        moment = _EPOCH + position.key * _MICROSECOND
        below, equal = InfoNews.published_at <= moment, InfoNews.published_at < moment
    return and_(below, or_(equal, InfoNews.id < position.article_id))
