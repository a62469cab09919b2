"""Keeps the index of the search: one row per approved article, written in the transaction that changes the article."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol  # Any: rows of differing columns.

from sqlalchemy import delete, insert, select, text
from sqlalchemy.orm import Session

from chassis.database import Database
from news_service.articles.tables import APPROVED, InfoNews
from news_service.search.tables import NewsSearch
from news_service.search.terms import index_terms, index_text, text_of_html

BATCH = 200
_LATEST_SECOND = 2**32 - 1
_IDS = 2**31

_INSERTS = {
    # From a list, and not by `to_tsvector`, which reads words, numbers and addresses in its own way.
    "postgresql": "INSERT INTO news_search (position, news_id, plain, terms)"
    " VALUES (:position, :news_id, :plain, array_to_tsvector(string_to_array(:terms, ' ')))",
    "mysql": "INSERT INTO news_search (position, news_id, plain, terms) VALUES (:position, :news_id, :plain, :terms)",
    "sqlite": "INSERT INTO news_search_terms (rowid, terms) VALUES (:position, :terms)",
}
# A table of FTS5 that holds no text takes a row out when it is told the row's terms again.
_FORGET = text("INSERT INTO news_search_terms (news_search_terms, rowid, terms) VALUES ('delete', :position, :terms)")


class NextIds(Protocol):
    """Gives the next ids, at most one batch, in order."""

    def __call__(self, session: Session, *, after_id: int) -> Sequence[int]:
        """Return none at the end."""


def index_articles(session: Session, ids: Iterable[int]) -> None:
    """Bring the index up to date with articles whose text, state or time of publication the caller has changed.

    Call it in the same transaction, after the change. An article that is not approved, or not there, leaves the index.
    It locks the articles in the order of their ids.
    """
    session.flush()
    ordered = sorted(set(ids))
    for batch in (ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)):
        articles = session.execute(
            select(InfoNews.id, InfoNews.title, InfoNews.digest, InfoNews.content, InfoNews.published_at)
            .where(InfoNews.id.in_(batch), InfoNews.status == APPROVED)
            .order_by(InfoNews.id)
            .with_for_update()
        ).all()
        _remove(session, batch)
        insert_rows(session, [search_row(article) for article in articles])


def missing_ids(session: Session, *, after_id: int) -> Sequence[int]:
    """Return the next ids of approved articles that are not in the index, at most one batch."""
    return session.scalars(
        select(InfoNews.id)
        .outerjoin(NewsSearch, NewsSearch.news_id == InfoNews.id)
        .where(InfoNews.id > after_id, InfoNews.status == APPROVED, NewsSearch.news_id.is_(None))
        .order_by(InfoNews.id)
        .limit(BATCH)
    ).all()


def all_ids(session: Session, *, after_id: int) -> Sequence[int]:
    """Return the next ids of articles, and of rows of the index whose article is gone, at most one batch."""
    batches = (
        session.scalars(select(column).where(column > after_id).order_by(column).limit(BATCH)).all()
        for column in (InfoNews.id, NewsSearch.news_id)
    )
    return sorted({article_id for batch in batches for article_id in batch})[:BATCH]


def index_everything(database: Database, next_ids: NextIds) -> Iterator[int]:
    """Index the articles of `missing_ids` or `all_ids`, one transaction per batch; yield the last id of each batch."""
    last_id = 0
    while True:
        with database.write() as session:
            ids = next_ids(session, after_id=last_id)
            index_articles(session, ids)
        if not ids:
            return
        last_id = ids[-1]
        yield last_id


def position_of(published_at: datetime, article_id: int) -> int:
    """Return the place of an article among all hits: whole seconds since 1970 (until 2106), then the id."""
    return join_position(min(max(int(published_at.timestamp()), 0), _LATEST_SECOND), article_id)


def join_position(seconds: int, article_id: int) -> int:
    """Return the position that `split_position` takes apart."""
    return min(seconds, _LATEST_SECOND) * _IDS + min(article_id, _IDS - 1)


def split_position(position: int) -> tuple[int, int]:
    """Return the seconds and the id of a position."""
    return divmod(position, _IDS)


def search_row(article: Any) -> dict[str, Any]:
    """Make an index row of a row with ``id``, ``title``, ``digest``, ``content`` and ``published_at``."""
    plain = index_text(article.title, f"{article.digest} {text_of_html(article.content)}")
    return {
        "position": position_of(article.published_at, article.id),
        "news_id": article.id,
        "plain": plain,
        "terms": " ".join(index_terms(plain)),
    }


def insert_rows(session: Session, rows: list[dict[str, Any]]) -> None:
    """Add rows of articles that the index does not have."""
    if not rows:
        return
    dialect = session.get_bind().dialect.name
    if dialect == "sqlite":
        session.execute(insert(NewsSearch), [row | {"terms": None} for row in rows])
    session.execute(text(_INSERTS[dialect]), rows)


def _remove(session: Session, ids: Sequence[int]) -> None:
    if session.get_bind().dialect.name == "sqlite":
        for position, plain in session.execute(
            select(NewsSearch.position, NewsSearch.plain).where(NewsSearch.news_id.in_(ids))
        ).all():
            session.execute(_FORGET, {"position": position, "terms": " ".join(index_terms(plain))})
    session.execute(delete(NewsSearch).where(NewsSearch.news_id.in_(ids)))
