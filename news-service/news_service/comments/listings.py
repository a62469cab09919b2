"""The SQL of the lists of comments: what is listed, in which order, and where a page begins (by keyset)."""

from functools import cache
from typing import Any, NamedTuple  # Selects and rows of differing columns.

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, or_, select
from sqlalchemy.orm import aliased

from news_service.articles.articles import HIGHEST_ID
from news_service.articles.listings import Rows, only_public
from news_service.articles.tables import InfoNews
from news_service.comments.tables import DELETED, InfoComment, InfoCommentLike
from news_service.cursors import Position

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


def page_parameters(name: ListName, position: Position | None, *, limit: int) -> dict[str, int]:
    """Return the values of a `page_query`."""
    values = {"subject_id": name.subject_id, "limit": limit}
    return values if position is None else values | {"key": position.key, "item_id": position.item_id}


def position_of(name: ListName, row: Row[*tuple[Any, ...]]) -> Position:
    """Return the position of a row in its list."""
    return Position(row.like_count if name.order == "liked" else 0, row.id)


@cache
def _page_form(order: str, *, is_continued: bool) -> Rows:
    query = select(*_COLUMNS).select_from(_COMMENTS).where(_comment.is_listed)
    if order == "replies":
        root = aliased(InfoComment.__table__, name="root")
        of_root = select(root.c.news_id).where(root.c.id == bindparam("subject_id")).scalar_subquery()
        query = query.where(_comment.news_id == of_root, _comment.root_id == bindparam("subject_id"))
    else:
        query = query.where(_comment.news_id == bindparam("subject_id"), _comment.root_id == 0)
    after: ColumnElement[bool] = _comment.id < bindparam("item_id")
    if order == "replies":
        after = _comment.id > bindparam("item_id")
    elif order == "liked":
        likes: ColumnElement[int] = bindparam("key")
        after = and_(_comment.like_count <= likes, or_(_comment.like_count < likes, after))
    keys = {"replies": (_comment.id,), "liked": (_comment.like_count.desc(), _comment.id.desc())}
    query = query.where(after) if is_continued else query
    index = "ix_info_comment_liked" if order == "liked" else "ix_info_comment_thread"
    return _read_by(index, query.order_by(*keys.get(order, (_comment.id.desc(),))).limit(bindparam("limit")))


def _read_by(index: str, query: Rows) -> Rows:
    """Name the index whose order is the list's. SQLite and MariaDB may else take one that they must sort by."""
    table = InfoComment.__table__
    query = query.with_hint(table, f"INDEXED BY {index}", dialect_name="sqlite")
    return query.with_hint(table, f"FORCE INDEX ({index})", dialect_name="mysql")


def _own_form(*, is_continued: bool) -> Rows:
    """Select a user's own comments, whatever their state, with the titles of articles that the public may read."""
    title = only_public(select(_news.title)).where(_news.id == _comment.news_id).scalar_subquery()
    query = select(*_COLUMNS, title.label("title")).select_from(_COMMENTS)
    query = query.where(_comment.user_id == bindparam("subject_id"), _comment.status != DELETED)
    query = query.where(_comment.id < bindparam("item_id")) if is_continued else query
    return _read_by("ix_info_comment_own", query.order_by(_comment.id.desc()).limit(bindparam("limit")))


_OWN_FORMS = {is_continued: _own_form(is_continued=is_continued) for is_continued in (False, True)}


def _first_replies() -> Rows:
    """Select the first answers below some roots. The last one's id is looked up for each root, as a bound of a range.

    So the database reads `FIRST_REPLIES` rows per root and no more, however many answers a root has.
    """
    root, listed = aliased(InfoComment.__table__, name="root"), aliased(InfoComment.__table__, name="listed")
    last = (
        select(listed.c.id)
        .where(listed.c.news_id == root.c.news_id, listed.c.root_id == root.c.id, listed.c.is_listed)
        .order_by(listed.c.id)
        .offset(FIRST_REPLIES - 1)
        .limit(1)
        .scalar_subquery()
    )
    below = and_(_comment.news_id == root.c.news_id, _comment.root_id == root.c.id, _comment.is_listed)
    query = (
        select(*_COLUMNS)
        .select_from(root)
        .join(InfoComment.__table__, and_(below, _comment.id <= func.coalesce(last, HIGHEST_ID)))
        .outerjoin(_answered, _IS_ANSWERED)
        .where(root.c.id.in_(bindparam("root_ids", expanding=True)))
        .order_by(_comment.id)
    )
    return _read_by("ix_info_comment_thread", query)


FIRST_REPLIES_OF = _first_replies()
"""The query of the first answers below the roots ``root_ids``."""

_own_likes = InfoCommentLike.__table__.c
LIKED_OF = select(_own_likes.comment_id).where(
    _own_likes.user_id == bindparam("user_id"), _own_likes.comment_id.in_(bindparam("comment_ids", expanding=True))
)
"""The query of those of the comments ``comment_ids`` that the user ``user_id`` likes."""

ARTICLE = only_public(select(_news.id)).where(_news.id == bindparam("article_id"))
"""The query of an article that the public may read; its parameters are ``now`` and ``article_id``."""

ROOT = only_public(select(_comment.id)).where(
    _news.id == _comment.news_id, _comment.id == bindparam("comment_id"), _comment.root_id == 0, _comment.is_listed
)
"""The query of a root that is shown on an article that the public may read."""

OWN_ONE = select(*_COLUMNS).select_from(_COMMENTS).where(_comment.id == bindparam("comment_id"))
"""The query of one comment, whatever its state: for its author."""
