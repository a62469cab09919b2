"""The shapes of requests and answers about favourites, follows, authors and notices."""

from datetime import datetime
from typing import Any  # Any: JSON objects.

from pydantic import BaseModel, ConfigDict

from news_service.articles.contract import Author, Id, author_of, rfc3339
from news_service.clients.user_service import UserName
from news_service.cursors import KeysetPage
from news_service.readers.follows import AuthorFigures, Followed
from news_service.readers.notices import Notice, NoticeKind

Names = dict[int, UserName]


class UserPath(BaseModel):
    """Which user."""

    id: int


class FollowedAuthor(Author):
    """Somebody whom the caller follows, and since when."""

    followed_at: datetime


class FollowingList(BaseModel):
    """A page of those whom the caller follows; the last one has no next cursor."""

    items: list[FollowedAuthor]
    next_cursor: str | None


class AuthorDetail(Author):
    """An author as readers see them. Each count ends at 10,000, which stands for so many or more."""

    followers_count: int
    following_count: int
    news_count: int
    is_following: bool


class NoticeNews(BaseModel):
    """The article that a notice is about; the title is null while the user may not read it."""

    id: int
    title: str | None


class NoticeComment(BaseModel):
    """The comment that a notice is about; the content is null while the user may not read it."""

    id: int
    content: str | None


class NoticeItem(BaseModel):
    """A notice. ``actor`` is null for a review, whose decision ``reason`` explains."""

    id: int
    kind: NoticeKind
    news: NoticeNews | None
    comment: NoticeComment | None
    actor: Author | None
    reason: str | None
    created_at: datetime
    is_read: bool


class NoticeList(BaseModel):
    """A page of notices; the last one has no next cursor."""

    items: list[NoticeItem]
    next_cursor: str | None


class UnreadCount(BaseModel):
    """How many notices are unread; 100 stands for so many or more."""

    unread: int


class ReadBody(BaseModel):
    """Up to which notice all have been read."""

    model_config = ConfigDict(extra="forbid", strict=True)

    up_to_id: Id


def following_list(page: KeysetPage[Followed], names: Names) -> dict[str, Any]:
    """Build the answer of a page of those whom the caller follows."""
    items = [
        {**(author_of(followed.user_id, names) or {}), "followed_at": rfc3339(followed.since)}
        for followed in page.items
    ]
    return {"items": items, "next_cursor": page.next_cursor}


def author_detail(user: UserName, figures: AuthorFigures) -> dict[str, Any]:
    """Build the answer of an author."""
    return {
        **(author_of(user.id, {user.id: user}) or {}),
        "followers_count": figures.followers,
        "following_count": figures.following,
        "news_count": figures.articles,
        "is_following": figures.is_followed,
    }


def notice_list(page: KeysetPage[Notice], names: Names) -> dict[str, Any]:
    """Build the answer of a page of notices."""
    return {"items": [_notice(notice, names) for notice in page.items], "next_cursor": page.next_cursor}


def _notice(notice: Notice, names: Names) -> dict[str, Any]:
    event = notice.event
    return {
        "id": notice.id,
        "kind": event.kind.value,
        "news": event.news_id and {"id": event.news_id, "title": notice.title},
        "comment": event.comment_id and {"id": event.comment_id, "content": notice.content},
        "actor": author_of(event.actor_id, names),
        "reason": event.reason,
        "created_at": rfc3339(event.at),
        "is_read": notice.is_read,
    }
