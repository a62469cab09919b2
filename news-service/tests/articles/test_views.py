"""Counting views: once per reader and article, in Redis."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis

from chassis.redis_client import connect_redis
from news_service.articles.views import COUNTED, Views

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


@pytest.fixture
def views(redis: Redis, now: datetime) -> Views:
    return Views(redis=redis, once_per_seconds=1800, clock=lambda: now)


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
        views.count_view(5, ip=ip, user_agent=agent)
    assert redis.hgetall(COUNTED) == {"5": "3"}
    assert [redis.ttl(key) for key in redis.keys("news:view:5:*")] == [1800] * 3


@pytest.mark.parametrize("agent", ["", "Googlebot/2.1", "curl/8.5.0", "python-requests/2.32", "HeadlessChrome/130"])
def test_robots_are_not_counted(views: Views, redis: Redis, agent: str) -> None:
    views.count_view(5, ip="192.0.2.1", user_agent=agent)
    assert not redis.exists(COUNTED)


def test_no_address_is_kept(views: Views, redis: Redis) -> None:
    views.count_view(5, ip="192.0.2.77", user_agent=BROWSER)
    assert not [key for key in redis.keys("*") if "192.0.2.77" in key or "192.0.2.77" in str(redis.dump(key))]


def test_without_redis_nothing_is_counted_and_nothing_fails(now: datetime) -> None:
    away = connect_redis("redis://127.0.0.1:1")
    Views(redis=away, once_per_seconds=1800, clock=lambda: now).count_view(5, ip="192.0.2.1", user_agent=BROWSER)
