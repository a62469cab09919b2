"""The SQL of the public lists: what is listed, in which order, and where a page begins (by keyset)."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVarTuple  # Any: selects and rows of differing columns.

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select

from news_service.cursors import ListName, Place
from news_service.tables import APPROVED, InfoNews

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


def public(query: Select[*Columns], now: datetime) -> Select[*Columns]:
    """Narrow a query to what the public may read: approved, and published by now."""
    return query.where(InfoNews.status == APPROVED, InfoNews.published_at <= now)


def page_query(name: ListName, place: Place | None, *, now: datetime) -> Select[*tuple[Any, ...]]:
    """Select the articles of a list behind a place, or from its start."""
    query = public(select(*LIST_COLUMNS, InfoNews.hot_score), now)
    if name.category_id is not None:
        query = query.where(InfoNews.category_id == name.category_id)
    if name.author_id is not None:
        query = query.where(InfoNews.user_id == name.author_id)
    if place is not None:
        query = query.where(_behind(name, place))
    order = InfoNews.hot_score if name.order == "hot" else InfoNews.published_at
    return query.order_by(order.desc(), InfoNews.id.desc())


def place_of(name: ListName, row: Row[*tuple[Any, ...]]) -> Place:
    """Return the place of a row in its list."""
    key = row.hot_score if name.order == "hot" else (row.published_at - _EPOCH) // _MICROSECOND
    return Place(key, row.id)


def _behind(name: ListName, place: Place) -> ColumnElement[bool]:
    # Not a comparison of row values: MariaDB does not use an index for those.
    if name.order == "hot":
        below, equal = InfoNews.hot_score <= place.key, InfoNews.hot_score < place.key
    else:
        moment = _EPOCH + place.key * _MICROSECOND
        below, equal = InfoNews.published_at <= moment, InfoNews.published_at < moment
    return and_(below, or_(equal, InfoNews.id < place.article_id))
