"""The comments that people read: roots with their first answers, the answers of one root, a user's own comments."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any  # Rows of differing columns.

from sqlalchemy import Row

from chassis.database import Database, utc_now
from chassis.errors import NotFound
from news_service.articles.listings import Rows
from news_service.comments.listings import (
    ARTICLE,
    LIKED_OF,
    OWN_ONE,
    ROOT,
    ListName,
    first_replies_parameters,
    first_replies_query,
    page_parameters,
    page_query,
    position_of,
)
from news_service.comments.tables import VISIBLE
from news_service.cursors import KeysetPage, cut_page, read_cursor
from news_service.tables import HIGHEST_ID


@dataclass(frozen=True)
class Answered:
    """The comment that another one answers; author and content are None if it is not to be seen any more."""

    id: int
    author_id: int | None
    content: str | None


@dataclass(frozen=True, kw_only=True)
class Comment:
    """A comment. ``content`` is plain text.

    ``title`` is the article's, and None where it is not asked for or the public may not read the article.
    """

    id: int
    author_id: int
    news_id: int
    content: str
    answered: Answered | None
    like_count: int
    reply_count: int
    status: int
    reason: str | None
    created_at: datetime | None
    is_liked: bool
    title: str | None = None
    replies: list["Comment"] = field(default_factory=list)


@dataclass(frozen=True)
class Comments:
    """Reads comments of articles that are approved and published; nothing here writes."""

    database: Database
    clock: Callable[[], datetime] = utc_now

    def list_roots(
        self, article_id: int, *, order: str, cursor: str | None, limit: int, reader_id: int | None
    ) -> KeysetPage[Comment]:
        """Return a page of an article's comments that answer none, each with its first answers.

        ``order`` is ``newest`` or ``liked`` (the most likes first).

        Raises:
            NotFound: the public may not read the article.
            RequestInvalid: the cursor is broken or belongs to another list.
        """
        self._need(ARTICLE, article_id=article_id)
        page = self._page(ListName(order, article_id), cursor, limit, news_id=article_id, root_id=0)
        replies = self._first_replies(article_id, [row.id for row in page.items if row.reply_count])
        liked = self._liked([*page.items, *replies], reader_id)
        below: dict[int, list[Comment]] = {}
        for row in replies:
            below.setdefault(row.root_id, []).append(_comment(row, liked))
        return KeysetPage([_comment(row, liked, below.get(row.id, [])) for row in page.items], page.next_cursor)

    def list_replies(
        self, root_id: int, *, cursor: str | None, limit: int, reader_id: int | None
    ) -> KeysetPage[Comment]:
        """Return a page of the answers below a root, the oldest first.

        Raises:
            NotFound: there is no such root, or the public may not read its article.
            RequestInvalid: as in `list_roots`.
        """
        news_id = self._need(ROOT, comment_id=root_id)
        page = self._page(ListName("replies", root_id), cursor, limit, news_id=news_id, root_id=root_id)
        liked = self._liked(page.items, reader_id)
        return KeysetPage([_comment(row, liked) for row in page.items], page.next_cursor)

    def list_own(self, user_id: int, *, cursor: str | None, limit: int) -> KeysetPage[Comment]:
        """Return a page of what a user wrote, the newest first: also what is held or hidden, not what is deleted.

        Raises:
            RequestInvalid: as in `list_roots`.
        """
        page = self._page(ListName("own", user_id), cursor, limit, user_id=user_id)
        liked = self._liked(page.items, user_id)
        return KeysetPage([_comment(row, liked, title=row.title) for row in page.items], page.next_cursor)

    def own_comment(self, comment_id: int) -> Comment:
        """Return a comment in any state, for its author."""
        (row,) = self.database.read_rows(OWN_ONE, {"comment_id": comment_id})
        return _comment(row, set())

    def _need(self, query: Rows, **ids: int) -> int:
        """Return the id of the article, which the public may read."""
        if not all(0 < number <= HIGHEST_ID for number in ids.values()):
            raise NotFound
        rows = self.database.read_rows(query, {"now": self.clock(), **ids})
        if not rows:
            raise NotFound
        return int(rows[0][0])

    def _page(self, name: ListName, cursor: str | None, limit: int, **ids: int) -> KeysetPage[Row[*tuple[Any, ...]]]:
        position = read_cursor(cursor, name)
        # One row more than the page shows whether there is a next page.
        parameters = {"now": self.clock(), **page_parameters(position, limit=limit + 1, **ids)}
        rows = self.database.read_rows(page_query(name.order, is_continued=position is not None), parameters)
        return cut_page(rows, limit, name, partial(position_of, name))

    def _first_replies(self, article_id: int, root_ids: list[int]) -> Sequence[Row[*tuple[Any, ...]]]:
        if not root_ids:
            return []
        values = first_replies_parameters(article_id, root_ids)
        return self.database.read_rows(first_replies_query(len(root_ids)), values)

    def _liked(self, rows: Sequence[Row[*tuple[Any, ...]]], reader_id: int | None) -> set[int]:
        if reader_id is None or not rows:
            return set()
        values = {"user_id": reader_id, "comment_ids": [row.id for row in rows]}
        return {row.comment_id for row in self.database.read_rows(LIKED_OF, values)}


def people_of(comments: Iterable[Comment]) -> set[int | None]:
    """Return the ids of the users whose names comments show, for one question to user-service."""
    people: set[int | None] = set()
    for comment in comments:
        people.add(comment.author_id)
        people |= people_of(comment.replies)
        if comment.answered is not None:
            people.add(comment.answered.author_id)
    return people


def _comment(
    row: Row[*tuple[Any, ...]], liked: set[int], replies: list[Comment] | None = None, *, title: str | None = None
) -> Comment:
    return Comment(
        id=row.id,
        author_id=row.user_id,
        news_id=row.news_id,
        content=row.content,
        answered=_answered(row),
        like_count=row.like_count,
        reply_count=row.reply_count,
        status=row.status,
        reason=row.reason,
        created_at=row.create_time,
        is_liked=row.id in liked,
        title=title,
        replies=replies or [],
    )


def _answered(row: Row[*tuple[Any, ...]]) -> Answered | None:
    if row.parent_id is None:
        return None
    if row.answered_status != VISIBLE:
        return Answered(row.parent_id, None, None)
    return Answered(row.parent_id, row.answered_user_id, row.answered_content)
