"""Counting views: once per reader, kept in Redis, added to the articles exactly once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis

from chassis.database import Database
from chassis.errors import DependencyUnavailable
from chassis.redis_client import connect_redis
from news_service.hotness import hot_score
from news_service.reader_tables import InfoComment, InfoUserCollection
from news_service.tables import InfoNews, NewsViewFlush
from news_service.view_flushes import FLUSHING, ViewFlushes
from news_service.views import COUNTED, Views

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


@pytest.fixture
def views(redis: Redis, now: datetime) -> Views:
    return Views(redis, once_per_seconds=1800, now=lambda: now)


@pytest.fixture
def flushes(database: Database, redis: Redis, now: datetime) -> ViewFlushes:
    return ViewFlushes(database, redis, now=lambda: now)


def _article(database: Database, article_id: int) -> InfoNews:
    with database.read() as session:
        return session.get_one(InfoNews, article_id)


def test_a_view_is_counted_over_http(client: FlaskClient, add_article: Callable[..., int], redis: Redis) -> None:
    article_id = add_article()
    answer = client.post(f"/api/v1/news/{article_id}/views", headers={"User-Agent": BROWSER})
    assert (answer.status_code, answer.data) == (204, b"")
    assert redis.hgetall(COUNTED) == {str(article_id): "1"}


def test_reading_counts_nothing(client: FlaskClient, add_article: Callable[..., int], redis: Redis) -> None:
    client.get(f"/api/v1/news/{add_article()}", headers={"User-Agent": BROWSER})
    assert not redis.exists(COUNTED)


@pytest.mark.parametrize("columns", [{"status": 1}, {"published_at": datetime(2100, 1, 1, tzinfo=UTC)}])
def test_a_view_of_what_is_not_public_is_a_404(
    client: FlaskClient, add_article: Callable[..., int], redis: Redis, columns: dict[str, Any]
) -> None:
    answer = client.post(f"/api/v1/news/{add_article(**columns)}/views", headers={"User-Agent": BROWSER})
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert not redis.exists(COUNTED)


def test_a_reader_counts_once_for_half_an_hour(views: Views, redis: Redis) -> None:
    for ip, agent in (("192.0.2.1", BROWSER), ("192.0.2.1", BROWSER), ("192.0.2.2", BROWSER), ("192.0.2.1", "Other/1")):
        views.count(5, ip=ip, user_agent=agent)
    assert redis.hgetall(COUNTED) == {"5": "3"}
    assert [redis.ttl(key) for key in redis.keys("news:view:5:*")] == [1800] * 3


@pytest.mark.parametrize("agent", ["", "Googlebot/2.1", "curl/8.5.0", "python-requests/2.32", "HeadlessChrome/130"])
def test_robots_are_not_counted(views: Views, redis: Redis, agent: str) -> None:
    views.count(5, ip="192.0.2.1", user_agent=agent)
    assert not redis.exists(COUNTED)


def test_no_address_is_kept(views: Views, redis: Redis) -> None:
    views.count(5, ip="192.0.2.77", user_agent=BROWSER)
    assert not [key for key in redis.keys("*") if "192.0.2.77" in key or "192.0.2.77" in str(redis.dump(key))]


def test_without_redis_nothing_is_counted_and_nothing_fails(now: datetime) -> None:
    away = connect_redis("redis://127.0.0.1:1")
    Views(away, once_per_seconds=1800, now=lambda: now).count(5, ip="192.0.2.1", user_agent=BROWSER)


def test_a_flush_adds_the_views_and_leaves_the_edit_time_alone(
    database: Database, redis: Redis, flushes: ViewFlushes, add_article: Callable[..., int], now: datetime
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
    database: Database, redis: Redis, flushes: ViewFlushes, add_article: Callable[..., int]
) -> None:
    add_article(user_id=1, clicks=10)
    with database.write() as session:
        session.add_all([InfoUserCollection(user_id=user, news_id=1) for user in (1, 2)])
        session.add_all([InfoComment(user_id=user, news_id=1, content="好") for user in (1, 2, 2, 3)])
    redis.hset(COUNTED, "1", 10)
    flushes.flush()
    article = _article(database, 1)
    assert article.hot_score == hot_score(views=20, likes=2, commenters=2, published_at=article.published_at)


def test_ten_times_the_attention_is_worth_36_hours(now: datetime) -> None:
    old = hot_score(views=9 * 20, likes=0, commenters=0, published_at=now - timedelta(hours=36))
    assert old == hot_score(views=0, likes=0, commenters=0, published_at=now)


def test_nothing_counted_writes_nothing(database: Database, flushes: ViewFlushes) -> None:
    assert flushes.flush() == 0
    with database.read() as session:
        assert session.query(NewsViewFlush).count() == 0


def test_a_flush_that_died_before_its_transaction_is_finished(
    database: Database, redis: Redis, flushes: ViewFlushes, add_article: Callable[..., int]
) -> None:
    add_article()
    redis.hset(FLUSHING, mapping={"1": 2, "flush-id": "of-the-dead"})
    redis.hset(COUNTED, "1", 3)
    assert [flushes.flush(), flushes.flush(), flushes.flush()] == [2, 3, 0]
    assert _article(database, 1).clicks == 5


def test_a_flush_that_died_after_its_transaction_is_not_added_again(
    database: Database, redis: Redis, flushes: ViewFlushes, add_article: Callable[..., int], now: datetime
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
        ViewFlushes(away, redis, now=lambda: now).flush()
    away.close()
    assert redis.hget(FLUSHING, "1") == "3"


def test_old_flushes_are_forgotten(
    database: Database, redis: Redis, flushes: ViewFlushes, add_article: Callable[..., int], now: datetime
) -> None:
    add_article()
    with database.write() as session:
        session.add(NewsViewFlush(id="old", flushed_at=now - timedelta(days=31)))
    redis.hset(COUNTED, "1", 3)
    flushes.flush()
    with database.read() as session:
        assert [row.flushed_at for row in session.query(NewsViewFlush)] == [now]
