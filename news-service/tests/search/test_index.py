"""The rows of the index follow the articles."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text, update

from chassis.database import Database
from news_service.articles.tables import APPROVED, WITHDRAWN, InfoNews
from news_service.samples.samples import seed
from news_service.search.index import index_articles, missing_ids, position_of, split_position
from news_service.search.tables import NewsSearch

_COUNTS = {
    "sqlite": "SELECT count(*) FROM news_search_terms WHERE news_search_terms MATCH :term",
    "postgresql": "SELECT count(*) FROM news_search WHERE terms @@ CAST(:term AS tsquery)",
    "mysql": "SELECT count(*) FROM news_search WHERE MATCH (terms) AGAINST (:term IN BOOLEAN MODE)",
}


def _count(database: Database, term: str) -> int:
    with database.read() as session:
        return int(session.scalar(text(_COUNTS[session.get_bind().dialect.name]), {"term": term}) or 0)


def _indexed(database: Database) -> dict[int, str]:
    with database.read() as session:
        return {row.news_id: row.plain for row in session.execute(select(NewsSearch.news_id, NewsSearch.plain))}


def _change(database: Database, article_id: int, **values: object) -> None:
    with database.write() as session:
        session.execute(update(InfoNews).where(InfoNews.id == article_id).values(**values))
        index_articles(session, [article_id])


def test_an_approved_article_enters_changes_and_leaves(database: Database, add_article: Callable[..., int]) -> None:
    first, second = (add_article(title="芯片", digest="", content="<p>AB</p>") for _ in range(2))
    _change(database, first, status=APPROVED)
    _change(database, second, status=APPROVED)
    assert _indexed(database) == {first: " 芯片 | ab ", second: " 芯片 | ab "}
    assert _count(database, "u82af7247") == 2
    _change(database, first, title="房地产", published_at=datetime(2026, 2, 1, tzinfo=UTC))
    assert _indexed(database)[first] == " 房地产 | ab "
    assert [_count(database, term) for term in ("u82af7247", "u57304ea7", "w0ab")] == [1, 1, 2]
    _change(database, second, status=WITHDRAWN)
    assert _indexed(database) == {first: " 房地产 | ab "}
    assert [_count(database, term) for term in ("u82af7247", "u57304ea7", "w0ab")] == [0, 1, 1]


def test_what_is_rolled_back_is_not_indexed(database: Database, add_article: Callable[..., int]) -> None:
    article_id = add_article(title="芯片")

    def fail() -> None:
        with database.write() as session:
            index_articles(session, [article_id])
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert (_indexed(database), _count(database, "u82af7247")) == ({}, 0)


def test_changes_of_the_same_transaction_are_seen(database: Database, add_article: Callable[..., int]) -> None:
    article_id = add_article()
    with database.write() as session:
        session.get_one(InfoNews, article_id).title = "新名"
        index_articles(session, [article_id])
    assert _indexed(database)[article_id].startswith(" 新名 | ")


def test_an_article_that_is_not_there_is_no_trouble(database: Database) -> None:
    with database.write() as session:
        index_articles(session, [5, 5, 6])
    assert _indexed(database) == {}


def test_the_samples_are_indexed(database: Database, now: datetime) -> None:
    seed(database, now)
    with database.read() as session:
        assert missing_ids(session, after_id=0) == []
    assert len(_indexed(database)) == 30


def test_positions_are_ordered_by_second_and_id() -> None:
    moment = datetime(2026, 1, 1, 0, 0, 1, 999_999, tzinfo=UTC)
    assert split_position(position_of(moment, 7)) == (int(moment.timestamp()), 7)
    assert split_position(position_of(datetime(1900, 1, 1, tzinfo=UTC), 7)) == (0, 7)
    assert 0 < position_of(datetime(9999, 1, 1, tzinfo=UTC), 2**31 - 1) < 2**63
