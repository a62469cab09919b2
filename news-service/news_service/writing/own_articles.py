"""Articles as their authors write them: drafts, changes under a version, submissions, withdrawals.

An author sees and changes the own articles, an editor changes those of others too; for everybody else there is nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any  # Rows of differing columns, and values of differing types.

from sqlalchemy import Row, Select, bindparam, select
from sqlalchemy.orm import Session

from chassis.database import Database, utc_now
from chassis.errors import EditConflict, FieldError, NotFound, RequestInvalid, TooManyRequests
from chassis.identity import Caller, has_role
from news_service.articles.tables import DRAFT, IN_REVIEW, NEWEST_CATEGORY_ID, InfoCategory, InfoNews
from news_service.cursors import KeysetPage, Position, cut_page, read_cursor
from news_service.review.word_list import Verdict, WordList
from news_service.search.terms import text_of_html
from news_service.tables import HIGHEST_ID
from news_service.writing.revisions import keep_revision
from news_service.writing.sanitising import OWN_IMAGES, clean_html
from news_service.writing.states import STATE_NAMES, UNPUBLISHED, Move, locked_article, move_article
from news_service.writing.tables import NewsImage
from news_service.writing.texts import make_digest, render_markdown

OWN_SOURCE = "个人发布"
"""The classic source of what users write."""

_NEVER_NULL = ("title", "markdown", "content")  # A null leaves these as they are.
_DAY = timedelta(days=1)
_STATES = {name: state for state, name in STATE_NAMES.items()}
_news = InfoNews.__table__.c
_ITEMS = (
    select(
        *(_news.id, _news.title, _news.digest, _news.category_id, _news.status, _news.reason, _news.published_at),
        *(_news.update_time, _news.clicks, _news.comment_count, _news.version),
    )
    .where(_news.user_id == bindparam("user_id"), _news.id < bindparam("before_id"))
    .order_by(_news.id.desc())
    .limit(bindparam("limit"))
)
_ITEMS_OF_STATE = _ITEMS.where(_news.status == bindparam("status"))
_OWN = select(InfoNews.__table__).where(_news.id == bindparam("article_id"), _news.user_id == bindparam("user_id"))
_LATEST = select(_news.create_time).where(_news.user_id == bindparam("user_id")).order_by(_news.id.desc())


@dataclass(frozen=True, kw_only=True)
class OwnArticles:
    """What authors do; each method is one transaction.

    ``fields`` map names of `contract.NewArticle` to checked values. An article that the caller may not see is NotFound.
    """

    database: Database
    words: WordList
    most_per_day: int
    clock: Callable[[], datetime] = utc_now

    def list_own(self, user_id: int, *, status: str | None, cursor: str | None, limit: int) -> KeysetPage[Row[Any]]:
        """Return a page of a user's articles in all states, or in the one of that name, the newest first.

        Raises:
            RequestInvalid: the cursor is broken or belongs to another list.
        """
        name = ("own", user_id, status)
        position = read_cursor(cursor, name) or Position(0, HIGHEST_ID)
        query: Select[*tuple[Any, ...]] = _ITEMS if status is None else _ITEMS_OF_STATE
        values = {"user_id": user_id, "before_id": min(position.item_id, HIGHEST_ID), "limit": limit + 1}
        if status is not None:
            values["status"] = _STATES[status]
        return cut_page(self.database.read_rows(query, values), limit, name, lambda row: Position(0, row.id))

    def read_own(self, user_id: int, article_id: int) -> Row[Any]:
        """Return a user's article with its text, in whatever state."""
        if not 0 < article_id <= HIGHEST_ID:
            raise NotFound
        rows = self.database.read_rows(_OWN, {"user_id": user_id, "article_id": article_id})
        if not rows:
            raise NotFound
        return rows[0]

    def create(self, user_id: int, fields: Mapping[str, Any]) -> InfoNews:
        """Store a draft and return it.

        Raises:
            RequestInvalid: its category, picture or moment is not acceptable.
            TooManyRequests: the user has begun too many articles in the last 24 hours.
        """
        now = self.clock()
        article = InfoNews(
            user_id=user_id,
            status=DRAFT,
            published_at=UNPUBLISHED,
            create_time=now,
            update_time=now,
            version=1,
            clicks=0,
            comment_count=0,
            ai_generated=False,
        )
        texts = {"content": "", "source": "", "digest": ""} | _prepared(fields)
        with self.database.write() as session:
            self._check_quota(session, user_id, now)
            _check_references(session, texts)
            _set_moment(article, fields.get("published_at"), now)
            _assign(article, texts)
            session.add(article)
            session.flush()
            keep_revision(session, article, editor_id=user_id, now=now)
        return article

    def change(self, caller: Caller, article_id: int, fields: Mapping[str, Any], *, version: int) -> InfoNews:
        """Change the named fields of an article in the version that the caller has read, and return it.

        The author's change sends an approved article back to the review; an editor's leaves it public.

        Raises:
            NotFound: the caller is neither its author nor an editor.
            EditConflict: the article has another version now.
            RequestInvalid: as in `create`, or what waits for a review has words that the site does not publish.
        """
        now, texts = self.clock(), _prepared(fields)
        with self.database.write() as session:
            article = editable_article(session, caller, article_id)
            if article.version != version:
                raise EditConflict
            _check_references(
                session, {name: value for name, value in texts.items() if getattr(article, name) != value}
            )
            before = _contents_of(article)
            keep_revision(session, article, editor_id=article.user_id, now=article.update_time or now)
            if "published_at" in fields:
                _set_moment(article, fields["published_at"], now)
            _assign(article, texts)
            if _contents_of(article) != before:
                article.version, article.update_time = version + 1, now
                keep_revision(session, article, editor_id=caller.user_id, now=now)
                is_editor = has_role(caller.roles, "editor")
                move_article(session, article, Move.CORRECT if is_editor else Move.EDIT, now=now)
                self._check_words(article)
        return article

    def move(self, user_id: int, article_id: int, move: Move) -> InfoNews:
        """Submit, take back or withdraw a user's article, and return it.

        Raises:
            NotFound: the user is not its author.
            StateConflict: it is in a state that does not allow this.
            RequestInvalid: what is submitted has no text or no category, or words that the site does not publish.
        """
        with self.database.write() as session:
            article = locked_article(session, article_id)
            if article.user_id != user_id:
                raise NotFound
            if move is Move.SUBMIT:
                _check_complete(article)
            if move_article(session, article, move, now=self.clock()):
                article.update_time = self.clock()
            self._check_words(article)
        return article

    def _check_words(self, article: InfoNews) -> None:
        """Refuse what waits for a review and would be refused there; what the list only holds waits anyway."""
        texts = (article.title, article.digest, article.source, text_of_html(article.content))
        if article.status == IN_REVIEW and self.words.check("\n".join(texts)) is Verdict.REFUSE:
            text = "This article has words that this site does not publish."
            raise RequestInvalid(errors=[FieldError("content", "content_refused", text)])

    def _check_quota(self, session: Session, user_id: int, now: datetime) -> None:
        latest = session.scalars(_LATEST.limit(self.most_per_day), {"user_id": user_id}).all()
        if len(latest) == self.most_per_day and (oldest := latest[-1]) is not None and oldest > now - _DAY:
            wait = int((oldest + _DAY - now).total_seconds()) + 1
            raise TooManyRequests("You have begun too many articles today.", retry_after_seconds=wait)


def editable_article(session: Session, caller: Caller, article_id: int) -> InfoNews:
    """Return an article, locked, that the caller may change: its author or an editor.

    Raises:
        NotFound: there is none for the caller.
    """
    article = locked_article(session, article_id)
    if article.user_id != caller.user_id and not has_role(caller.roles, "editor"):
        raise NotFound
    return article


def _prepared(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that fields of a request stand for."""
    columns = {name: value for name, value in fields.items() if name not in ("version", "published_at")}
    columns = {name: value for name, value in columns.items() if value is not None or name not in _NEVER_NULL}
    if "markdown" in columns:
        columns["content"] = render_markdown(columns["markdown"])
    elif "content" in columns:
        columns |= {"content": clean_html(columns["content"]), "markdown": None}
    return columns


def _assign(article: InfoNews, columns: Mapping[str, Any]) -> None:
    for name, value in columns.items():
        setattr(article, name, value)
    article.source = article.source or OWN_SOURCE
    article.digest = article.digest or make_digest(article.content)


def _set_moment(article: InfoNews, moment: datetime | None, now: datetime) -> None:
    """Choose when an article is published; without a moment the first approval does, and an old publication stays."""
    if moment is None:
        if article.published_at > now:
            article.published_at = UNPUBLISHED
    elif moment != article.published_at:
        if moment <= now:
            raise RequestInvalid(errors=[FieldError("published_at", "past", "Choose a moment in the future.")])
        article.published_at = moment


def _check_references(session: Session, columns: Mapping[str, Any]) -> None:
    problems = []
    if (category_id := columns.get("category_id")) is not None and (
        category_id == NEWEST_CATEGORY_ID or session.get(InfoCategory, category_id) is None
    ):
        problems.append(FieldError("category_id", "unknown", "There is no such category."))
    if (address := columns.get("index_image_url")) is not None and not _is_own_picture(session, address):
        problems.append(FieldError("index_image_url", "not_ours", "Upload the picture first."))
    if problems:
        raise RequestInvalid(errors=problems)


def _is_own_picture(session: Session, address: str) -> bool:
    folder, _, name = address.rpartition("/")
    return bool(OWN_IMAGES.fullmatch(address)) and folder == "/images" and session.get(NewsImage, name) is not None


def _check_complete(article: InfoNews) -> None:
    problems = []
    if not make_digest(article.content) and "<img" not in article.content:
        problems.append(FieldError("content", "empty", "Write a text first."))
    if article.category_id is None:
        problems.append(FieldError("category_id", "missing", "Choose a category first."))
    if problems:
        raise RequestInvalid(errors=problems)


def _contents_of(article: InfoNews) -> tuple[Any, ...]:
    return (
        *(article.title, article.source, article.digest, article.content, article.markdown, article.category_id),
        *(article.index_image_url, article.ai_generated, article.published_at),
    )
