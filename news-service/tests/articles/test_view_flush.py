"""Flushing counted views: each is added to its article exactly once, and the thread of a worker goes on."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from redis import Redis

from chassis.database import Database
from chassis.errors import DependencyUnavailable
from news_service.articles.ranking import hot_score, recount_engagement
from news_service.articles.tables import InfoNews, NewsViewFlush
from news_service.articles.view_flush import FLUSHING, ViewFlush
from news_service.articles.views import COUNTED
from news_service.comments.tables import DELETED, HELD, HIDDEN, VISIBLE, InfoComment
from news_service.readers.tables import InfoUserCollection


@pytest.fixture
def flushes(database: Database, redis: Redis, now: datetime) -> ViewFlush:
    return ViewFlush(database, redis, clock=lambda: now)


def _article(database: Database, article_id: int) -> InfoNews:
    with database.read() as session:
        return session.get_one(InfoNews, article_id)


def test_a_flush_adds_the_views_and_leaves_the_edit_time_alone(
    database: Database, redis: Redis, flushes: ViewFlush, add_article: Callable[..., int], now: datetime
) -> None:
    edited = now - timedelta(days=9)
    add_article(clicks=3, update_time=edited)
    add_article()
    redis.hset(COUNTED, mapping={"1": 4, "2": 1, "99": 7})
    assert flushes.flush() == 5
    article = _article(database, 1)
    assert (article.clicks, article.update_time, article.version) == (7, edited, 1)
    assert _article(database, 2).clicks == 1
    assert redis.keys("news:views*") == []


def test_a_flush_scores_views_favourites_and_other_peoples_comments(
    database: Database, redis: Redis, flushes: ViewFlush, add_article: Callable[..., int]
) -> None:
    add_article(user_id=1, clicks=10)
    with database.write() as session:
        session.add_all([InfoUserCollection(user_id=user, news_id=1) for user in (1, 2)])
        session.add_all([InfoComment(user_id=user, news_id=1, content="好") for user in (1, 2, 2, 3)])
    redis.hset(COUNTED, "1", 10)
    flushes.flush()
    article = _article(database, 1)
    assert article.hot_score == hot_score(views=20, likes=2, commenters=2, published_at=article.published_at)


def test_comments_that_nobody_sees_count_for_nothing(database: Database, add_article: Callable[..., int]) -> None:
    add_article(user_id=1, comment_count=9)
    with database.write() as session:
        for user_id, status in ((2, VISIBLE), (2, VISIBLE), (3, HELD), (4, HIDDEN), (5, DELETED)):
            session.add(InfoComment(user_id=user_id, news_id=1, content="好", status=status))
        session.flush()
        recount_engagement(session, [1])
    article = _article(database, 1)
    assert article.comment_count == 2
    assert article.hot_score == hot_score(views=0, likes=0, commenters=1, published_at=article.published_at)


def test_nothing_counted_writes_nothing(database: Database, flushes: ViewFlush) -> None:
    assert flushes.flush() == 0
    with database.read() as session:
        assert session.query(NewsViewFlush).count() == 0


def test_a_flush_that_died_before_its_transaction_is_finished(
    database: Database, redis: Redis, flushes: ViewFlush, add_article: Callable[..., int]
) -> None:
    add_article()
    redis.hset(FLUSHING, mapping={"1": 2, "flush-id": "of-the-dead"})
    redis.hset(COUNTED, "1", 3)
    assert [flushes.flush(), flushes.flush(), flushes.flush()] == [2, 3, 0]
    assert _article(database, 1).clicks == 5


def test_a_flush_that_died_after_its_transaction_is_not_added_again(
    database: Database, redis: Redis, flushes: ViewFlush, add_article: Callable[..., int], now: datetime
) -> None:
    add_article(clicks=2)
    with database.write() as session:
        session.add(NewsViewFlush(id="of-the-dead", flushed_at=now))
    redis.hset(FLUSHING, mapping={"1": 2, "flush-id": "of-the-dead"})
    assert flushes.flush() == 0
    assert _article(database, 1).clicks == 2
    assert not redis.exists(FLUSHING)


def test_a_database_that_is_away_loses_no_views(redis: Redis, now: datetime) -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    redis.hset(COUNTED, "1", 3)
    with pytest.raises(DependencyUnavailable):
        ViewFlush(away, redis, clock=lambda: now).flush()
    away.close()
    assert redis.hget(FLUSHING, "1") == "3"


def test_old_flushes_are_forgotten(
    database: Database, redis: Redis, flushes: ViewFlush, add_article: Callable[..., int], now: datetime
) -> None:
    add_article()
    with database.write() as session:
        session.add(NewsViewFlush(id="old", flushed_at=now - timedelta(days=31)))
    redis.hset(COUNTED, "1", 3)
    flushes.flush()
    with database.read() as session:
        assert [row.flushed_at for row in session.query(NewsViewFlush)] == [now]
