"""The SQL of the lists of comments: what is listed, in which order, and where a page begins (by keyset)."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple  # Selects and rows of differing columns.

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Row,
    Select,
    and_,
    bindparam,
    select,
    union_all,
)

from news_service.articles.listings import Rows, only_public
from news_service.articles.tables import InfoNews
from news_service.comments.tables import DELETED, InfoComment, InfoCommentLike
from news_service.cursors import Position, earlier_than, read_by

FIRST_REPLIES = 3
"""A root carries so many of its answers."""

# Columns of the tables, not of the classes: SQLAlchemy's ORM has no part in what is only read.
_comment = InfoComment.__table__.c
_news = InfoNews.__table__.c
_answered = InfoComment.__table__.alias("answered")
_COLUMNS = (
    _comment.id,
    _comment.user_id,
    _comment.news_id,
    _comment.content,
    _comment.parent_id,
    _comment.root_id,
    _comment.like_count,
    _comment.reply_count,
    _comment.status,
    _comment.reason,
    _comment.create_time,
    _answered.c.user_id.label("answered_user_id"),
    _answered.c.content.label("answered_content"),
    _answered.c.status.label("answered_status"),
)
# An answer to a comment of another article, as a dump may have it, must not show that one.
_IS_ANSWERED = and_(_answered.c.id == _comment.parent_id, _answered.c.news_id == _comment.news_id)
_COMMENTS = InfoComment.__table__.outerjoin(_answered, _IS_ANSWERED)


class ListName(NamedTuple):
    """One list: ``newest`` or ``liked`` roots of an article, ``replies`` of a root, or ``own`` comments of a user."""

    order: str
    subject_id: int


def page_query(order: str, *, is_continued: bool) -> Rows:
    """Select a page of the list of an order; `page_parameters` belong to it."""
    return _OWN_FORMS[is_continued] if order == "own" else _page_form(order, is_continued=is_continued)


def page_parameters(position: Position | None, *, limit: int, **ids: int) -> dict[str, int]:
    """Return the values of a `page_query`: ``user_id`` of own comments, else ``news_id`` and ``root_id`` (0: roots)."""
    values = {**ids, "limit": limit}
    return values if position is None else values | {"key": position.key, "item_id": position.item_id}


def position_of(name: ListName, row: Row[*tuple[Any, ...]]) -> Position:
    """Return the position of a row in its list."""
    return Position(row.like_count if name.order == "liked" else 0, row.id)


@cache
def _page_form(order: str, *, is_continued: bool) -> Rows:
    own = InfoComment.__table__.alias("own")
    after: ColumnElement[bool] = own.c.id < bindparam("item_id")
    if order == "replies":
        after = own.c.id > bindparam("item_id")
    elif order == "liked":
        after = earlier_than(own.c.like_count, own.c.id)
    ids = _listed(own, bindparam("root_id"), index="liked" if order == "liked" else "thread")
    ids = ids.where(after) if is_continued else ids
    ids = ids.order_by(*_keys(order, own)).limit(bindparam("limit"))
    return _whole(ids).order_by(*_keys(order, InfoComment.__table__))


def _keys(order: str, table: FromClause) -> tuple[ColumnElement[Any], ...]:
    if order == "replies":
        return (table.c.id,)
    return (table.c.like_count.desc(), table.c.id.desc()) if order == "liked" else (table.c.id.desc(),)


def _listed(own: FromClause, root_id: BindParameter[Any], *, index: str) -> Rows:
    """Select the ids of what is listed below a root, or of the roots, by the index that has them in order.

    An id alone is read from the index alone. Else PostgreSQL reads the comments of all articles in the order of ids,
    or sorts all answers.
    """
    ids = select(own.c.id).where(own.c.news_id == bindparam("news_id"), own.c.root_id == root_id, own.c.is_listed)
    return read_by(f"ix_info_comment_{index}", ids, own)


def _whole(ids: Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]]) -> Rows:
    """Select the whole comments of some ids."""
    chosen = ids.subquery("chosen")
    rows = chosen.join(InfoComment.__table__, _comment.id == chosen.c.id).outerjoin(_answered, _IS_ANSWERED)
    return select(*_COLUMNS).select_from(rows)


def _own_form(*, is_continued: bool) -> Rows:
    """Select a user's own comments, whatever their state, with the titles of articles that the public may read."""
    title = only_public(select(_news.title)).where(_news.id == _comment.news_id).scalar_subquery()
    query = select(*_COLUMNS, title.label("title")).select_from(_COMMENTS)
    query = query.where(_comment.user_id == bindparam("user_id"), _comment.status != DELETED)
    query = query.where(_comment.id < bindparam("item_id")) if is_continued else query
    query = query.order_by(_comment.id.desc()).limit(bindparam("limit"))
    return read_by("ix_info_comment_own", query, InfoComment.__table__)


_OWN_FORMS = {is_continued: _own_form(is_continued=is_continued) for is_continued in (False, True)}


@cache  # One form per number of roots, at most as many as a page has.
def first_replies_query(roots: int) -> Rows:
    """Select the first answers below some roots of one article; `first_replies_parameters` belong to it.

    Each root has a part of its own, so that the database reads `FIRST_REPLIES` rows per root, however many answers it
    has: MariaDB reads all answers for a join with a bound per root, 300 ms instead of 13 below a root with 30,000.
    """
    parts = []
    for number in range(roots):
        own = InfoComment.__table__.alias(f"own_{number}")
        ids = _listed(own, bindparam(f"root_{number}"), index="thread")
        parts.append(select(ids.order_by(own.c.id).limit(FIRST_REPLIES).subquery().c.id))
    return _whole(union_all(*parts)).order_by(_comment.id)


def first_replies_parameters(article_id: int, root_ids: Sequence[int]) -> dict[str, int]:
    """Return the values of a `first_replies_query` for so many roots."""
    return {"news_id": article_id, **{f"root_{number}": root_id for number, root_id in enumerate(root_ids)}}


_own_likes = InfoCommentLike.__table__.c
LIKED_OF = select(_own_likes.comment_id).where(
    _own_likes.user_id == bindparam("user_id"), _own_likes.comment_id.in_(bindparam("comment_ids", expanding=True))
)
"""The query of those of the comments ``comment_ids`` that the user ``user_id`` likes."""

ARTICLE = only_public(select(_news.id)).where(_news.id == bindparam("article_id"))
"""The query of an article that the public may read; its parameters are ``now`` and ``article_id``."""

ROOT = only_public(select(_comment.news_id)).where(
    _news.id == _comment.news_id, _comment.id == bindparam("comment_id"), _comment.root_id == 0, _comment.is_listed
)
"""The query of the article of a root that is shown, if the public may read the article."""

OWN_ONE = select(*_COLUMNS).select_from(_COMMENTS).where(_comment.id == bindparam("comment_id"))
"""The query of one comment, whatever its state: for its author."""
