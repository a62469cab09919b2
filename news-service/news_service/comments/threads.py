"""Puts imported answers below their roots, and counts what is visible there."""

from collections import Counter
from collections.abc import Iterable
from typing import Any  # Rows of several columns.

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.orm import Session

from news_service.comments.tables import VISIBLE, InfoComment

_BATCH = 500
_comment = InfoComment.__table__.c
_CHANGE = (
    update(InfoComment)
    .where(_comment.id == bindparam("comment_id"))
    .values({name: bindparam(f"new_{name}") for name in ("root_id", "reply_count", "is_listed")})
)


def thread_answers(session: Session, article_ids: Iterable[int]) -> None:
    """Set ``root_id``, ``reply_count`` and ``is_listed`` of all comments of articles.

    An answer to a comment of another article stands as a root, because no list could show it below that one.
    """
    ordered = sorted(article_ids)
    for start in range(0, len(ordered), _BATCH):
        query = select(
            *(getattr(_comment, name) for name in ("id", "news_id", "parent_id", "status")),
            *(getattr(_comment, name) for name in ("root_id", "reply_count", "is_listed")),
        )
        rows = session.execute(query.where(_comment.news_id.in_(ordered[start : start + _BATCH]))).all()
        if changes := _changes(rows):
            # On the connection: the session's own form of an update for many rows knows no WHERE.
            session.connection().execute(_CHANGE, changes)


def _changes(rows: Iterable[Row[*tuple[Any, ...]]]) -> list[dict[str, int | bool]]:
    """Return the values of the comments whose place or count is wrong."""
    by_id = {row.id: row for row in rows}
    roots = {row.id: _root_of(row, by_id) for row in by_id.values()}
    counts = Counter(roots[row.id] for row in by_id.values() if row.status == VISIBLE)
    changes = []
    for row in by_id.values():
        root_id = roots[row.id]
        replies = 0 if root_id else counts[row.id]
        placed = (root_id, replies, row.status == VISIBLE or replies > 0)
        if placed != (row.root_id, row.reply_count, row.is_listed):
            names = ("new_root_id", "new_reply_count", "new_is_listed")
            changes.append({"comment_id": row.id, **dict(zip(names, placed, strict=True))})
    return changes


def _root_of(row: Row[*tuple[Any, ...]], by_id: dict[int, Row[*tuple[Any, ...]]]) -> int:
    """Return the first comment above an answer, and 0 for a comment that answers none. A circle ends somewhere."""
    above, parent, seen = row, by_id.get(row.parent_id), {row.id}
    while parent is not None and parent.news_id == row.news_id and parent.id not in seen:
        above = parent
        seen.add(parent.id)
        parent = by_id.get(above.parent_id)
    return 0 if above is row else int(above.id)
