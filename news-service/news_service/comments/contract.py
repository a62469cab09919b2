"""The shapes of requests and answers about comments, each answer built in one place."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal  # Any: JSON objects.

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chassis.texts import free_text
from news_service.articles.contract import Author, Id, PageQuery, author_of, rfc3339
from news_service.clients.user_service import UserName
from news_service.comments.comments import Comment
from news_service.comments.tables import DELETED, HELD, HIDDEN, VISIBLE
from news_service.cursors import KeysetPage

LONGEST = 2000
_STATES = {VISIBLE: "visible", HELD: "held", HIDDEN: "hidden", DELETED: "deleted"}
State = Literal["visible", "held", "hidden"]
_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160)))


def _shown(text: str) -> str:
    """Return what is stored of a comment: no control characters, no blanks at the ends, one kind of line end.

    Raises:
        ValueError: nothing of it can be seen.
    """
    shown = free_text(text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)).strip()
    if not shown:
        raise ValueError("use visible characters")
    return shown


class CommentBody(BaseModel):
    """A new comment: plain text, and the comment that it answers."""

    model_config = ConfigDict(extra="forbid", strict=True)

    content: Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(_shown)]
    parent_id: Id | None = None


class CommentPath(BaseModel):
    """Which comment."""

    id: int


class RootsQuery(PageQuery):
    """In which order, from where on, and how many."""

    order: Literal["newest", "liked"] = "newest"


class Parent(BaseModel):
    """The comment that another one answers; author and content are null if it is not to be seen any more."""

    id: int
    author: Author | None
    content: str | None


class CommentItem(BaseModel):
    """A comment. Of a deleted one, with answers below it, nothing is told but its place: no author, no content."""

    id: int
    content: str
    author: Author | None
    parent: Parent | None
    like_count: int
    is_liked: bool
    is_deleted: bool
    created_at: datetime | None


class RootItem(CommentItem):
    """A comment that answers none, with the first of its answers."""

    reply_count: int
    replies: list[CommentItem]


class RootList(BaseModel):
    """A page of an article's comments; the last one has no next cursor."""

    items: list[RootItem]
    next_cursor: str | None


class ReplyList(BaseModel):
    """A page of the answers below a comment; the last one has no next cursor."""

    items: list[CommentItem]
    next_cursor: str | None


class Subject(BaseModel):
    """The article of a comment; the title is null while the public may not read it."""

    id: int
    title: str | None


class OwnComment(RootItem):
    """A comment as its author sees it; ``state`` says whether others see it, and ``reason`` why it was hidden."""

    state: State
    reason: str | None


class OwnItem(OwnComment):
    """A comment among its author's own, with its article."""

    news: Subject


class OwnList(BaseModel):
    """A page of a user's own comments; the last one has no next cursor."""

    items: list[OwnItem]
    next_cursor: str | None


Names = dict[int, UserName]


def root_list(page: KeysetPage[Comment], names: Names) -> dict[str, Any]:
    """Build the answer of a page of an article's comments."""
    return {"items": [_root(comment, names) for comment in page.items], "next_cursor": page.next_cursor}


def reply_list(page: KeysetPage[Comment], names: Names) -> dict[str, Any]:
    """Build the answer of a page of answers."""
    return {"items": _items(page.items, names), "next_cursor": page.next_cursor}


def own_list(page: KeysetPage[Comment], names: Names) -> dict[str, Any]:
    """Build the answer of a page of a user's own comments."""
    items = [
        own_comment(comment, names) | {"news": {"id": comment.news_id, "title": comment.title}}
        for comment in page.items
    ]
    return {"items": items, "next_cursor": page.next_cursor}


def own_comment(comment: Comment, names: Names) -> dict[str, Any]:
    """Build a comment as its author sees it."""
    shown = {"content": comment.content, "author": author_of(comment.author_id, names), "is_deleted": False}
    return _root(comment, names) | shown | {"state": _STATES[comment.status], "reason": comment.reason}


def _root(comment: Comment, names: Names) -> dict[str, Any]:
    return _item(comment, names) | {
        "reply_count": comment.reply_count,
        "replies": _items(comment.replies, names),
    }


def _items(comments: Iterable[Comment], names: Names) -> list[dict[str, Any]]:
    return [_item(comment, names) for comment in comments]


def _item(comment: Comment, names: Names) -> dict[str, Any]:
    is_shown = comment.status == VISIBLE
    answered = comment.answered
    return {
        "id": comment.id,
        "content": comment.content if is_shown else "",
        "author": author_of(comment.author_id, names) if is_shown else None,
        "parent": answered
        and {
            "id": answered.id,
            "author": author_of(answered.author_id, names),
            "content": answered.content,
        },
        "like_count": comment.like_count if is_shown else 0,
        "is_liked": comment.is_liked and is_shown,
        "is_deleted": not is_shown,
        "created_at": rfc3339(comment.created_at),
    }
