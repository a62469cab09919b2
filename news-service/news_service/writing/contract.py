"""The shapes of what authors send and see, each answer built in one place."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self  # Any: JSON objects, and rows of differing columns.

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Row

from news_service.articles.contract import ArticlePath, Id, rfc3339
from news_service.articles.tables import REJECTED, InfoNews
from news_service.cursors import KeysetPage
from news_service.tables import HIGHEST_ID
from news_service.writing.states import STATE_NAMES, UNPUBLISHED
from news_service.writing.texts import MOST_HTML, MOST_MARKDOWN, one_line, visible_line

StateName = Literal["draft", "in_review", "approved", "rejected", "withdrawn"]
Title = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(visible_line)]
Source = Annotated[str, Field(max_length=64), AfterValidator(one_line)]
Digest = Annotated[str, Field(max_length=500), AfterValidator(one_line)]
Version = Annotated[int, Field(ge=1, le=HIGHEST_ID)]
ArticleRow = InfoNews | Row[*tuple[Any, ...]]


class _Text(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    source: Source = ""
    digest: Digest = ""
    category_id: Id | None = None
    markdown: Annotated[str, Field(max_length=MOST_MARKDOWN)] | None = None
    content: Annotated[str, Field(max_length=MOST_HTML)] | None = None
    index_image_url: Annotated[str, Field(max_length=256)] | None = None
    ai_generated: bool = False
    published_at: Annotated[AwareDatetime | None, Field(strict=False)] = None

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        if self.markdown is not None and self.content is not None:
            raise ValueError("send either markdown or content")
        return self


class NewArticle(_Text):
    """A draft: its text is Markdown, or HTML in ``content``; ``published_at`` is a moment in the future."""

    title: Title


class ArticleChange(_Text):
    """What changes in an article, and the version that it changes; what is left out stays.

    An empty ``digest`` is made from the text again. A null ``published_at`` publishes with the first approval.
    """

    version: Version
    title: Title | None = None


class VersionBody(BaseModel):
    """The version of the article that the caller has read."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: Version


class OwnQuery(BaseModel):
    """Which of the own articles, from where on; the newest first."""

    status: StateName | None = None
    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: int = Field(default=10, ge=1, le=50)


class RevisionsQuery(BaseModel):
    """From where on; the newest first."""

    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: int = Field(default=10, ge=1, le=50)


class RevisionPath(ArticlePath):
    """Which version of which article."""

    version: int


class OwnItem(BaseModel):
    """An own article in a list; ``reason`` says why it was rejected, and nothing is published before an approval."""

    id: int
    title: str
    digest: str
    category_id: int | None
    status: StateName
    reason: str | None
    published_at: datetime | None
    updated_at: datetime | None
    clicks: int
    comment_count: int
    version: int


class OwnList(BaseModel):
    """A page of own articles; the last one has no next cursor."""

    items: list[OwnItem]
    next_cursor: str | None


class OwnArticle(OwnItem):
    """An article as it is edited; ``markdown`` is null if it was written in HTML, and ``content`` is safe HTML."""

    source: str
    markdown: str | None
    content: str
    index_image_url: str | None
    ai_generated: bool
    submitted_at: datetime | None


class RevisionItem(BaseModel):
    """A version of an article in a list; ``editor_id`` is who wrote it, null if that is not known."""

    version: int
    saved_at: datetime
    editor_id: int | None
    title: str


class RevisionList(BaseModel):
    """A page of versions; the last one has no next cursor."""

    items: list[RevisionItem]
    next_cursor: str | None


class Revision(RevisionItem):
    """What an article said in one version."""

    source: str
    digest: str
    category_id: int | None
    markdown: str | None
    content: str
    index_image_url: str | None


def own_list(page: KeysetPage[Row[Any]]) -> dict[str, Any]:
    """Build the answer of a page of own articles."""
    return {"items": [_own_item(row) for row in page.items], "next_cursor": page.next_cursor}


def own_article(article: ArticleRow) -> dict[str, Any]:
    """Build the answer of an article as it is edited."""
    return _own_item(article) | {
        "source": article.source,
        "markdown": article.markdown,
        "content": article.content,
        "index_image_url": article.index_image_url,
        "ai_generated": article.ai_generated,
        "submitted_at": rfc3339(article.submitted_at),
    }


def _own_item(article: ArticleRow) -> dict[str, Any]:
    is_published = article.published_at != UNPUBLISHED
    return {
        "id": article.id,
        "title": article.title,
        "digest": article.digest,
        "category_id": article.category_id,
        "status": STATE_NAMES[article.status],
        "reason": article.reason if article.status == REJECTED else None,
        "published_at": rfc3339(article.published_at) if is_published else None,
        "updated_at": rfc3339(article.update_time),
        "clicks": article.clicks,
        "comment_count": article.comment_count,
        "version": article.version,
    }


def revision_list(page: KeysetPage[Row[Any]]) -> dict[str, Any]:
    """Build the answer of a page of versions."""
    return {"items": [_revision_item(row) for row in page.items], "next_cursor": page.next_cursor}


def revision(row: Row[Any]) -> dict[str, Any]:
    """Build the answer of one version."""
    return _revision_item(row) | {
        "source": row.source,
        "digest": row.digest,
        "category_id": row.category_id,
        "markdown": row.markdown,
        "content": row.content,
        "index_image_url": row.index_image_url,
    }


def _revision_item(row: Row[Any]) -> dict[str, Any]:
    return {
        "version": row.version,
        "saved_at": rfc3339(row.saved_at),
        "editor_id": row.editor_id,
        "title": row.title,
    }
