"""Adds counted views to the articles, exactly once, whatever crashes and whoever works at the same time.

1. A script renames the hash of counted views and gives it an id, unless a renamed one is there already: then some
   worker is at it, or died at it, and this one does the same work.
2. One transaction adds the views and writes the id into `NewsViewFlush`. Of two workers at the same hash one meets
   the other's id there, and adds nothing.
3. A script deletes the renamed hash, if it is still the one with this id.
"""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from redis import Redis
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from structlog import get_logger

from chassis.database import Database, utc_now
from chassis.redis_client import redis_errors
from news_service.attention import add_views
from news_service.tables import NewsViewFlush
from news_service.views import COUNTED

log = get_logger(__name__)
FLUSHING = "news:views-flushing"
_ID = "flush-id"
_KEPT = timedelta(days=30)
_TAKE = """
if redis.call('EXISTS', KEYS[2]) == 0 then
  if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
  redis.call('RENAME', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
end
return redis.call('HGETALL', KEYS[2])
"""
_DROP = "if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('DEL', KEYS[1]) end return 0"


class ViewFlushes:
    """The work of one flush."""

    def __init__(self, database: Database, redis: Redis, *, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._take = redis.register_script(_TAKE)
        self._drop = redis.register_script(_DROP)
        self._now = now

    def flush(self) -> int:
        """Add what was counted to the articles and return the number of views added here.

        Raises:
            DependencyUnavailable: Redis or the database is away. Nothing is lost; the next flush does the work.
        """
        with redis_errors():
            flat: list[str] = self._take(keys=[COUNTED, FLUSHING], args=[_ID, uuid.uuid4().hex])
        counted = dict(zip(flat[::2], flat[1::2], strict=True))
        if not counted:
            return 0
        flush_id = counted.pop(_ID)
        added = self._add(flush_id, {int(article_id): int(views) for article_id, views in counted.items()})
        with redis_errors():
            self._drop(keys=[FLUSHING], args=[_ID, flush_id])
        return added

    def _add(self, flush_id: str, views: dict[int, int]) -> int:
        try:
            with self._database.write() as session:
                session.execute(delete(NewsViewFlush).where(NewsViewFlush.flushed_at < self._now() - _KEPT))
                session.add(NewsViewFlush(id=flush_id, flushed_at=self._now()))
                session.flush()
                return add_views(session, views)
        except IntegrityError:
            log.info("views_added_by_another_worker", flush_id=flush_id)
            return 0
