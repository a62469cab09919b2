"""Adds counted views to the articles, exactly once, also if a worker crashes or two workers flush at the same time.

1. A script renames the hash of counted views and gives it an id. If a renamed hash exists already, another worker is
   flushing it or crashed; then this worker flushes that one too.
2. One transaction adds the views and writes the id into `NewsViewFlush`. If two workers flush one hash, the second one
   finds the first one's id there and adds nothing.
3. A script deletes the renamed hash, if it still has this id.
"""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from redis import Redis
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from structlog import get_logger

from chassis.database import Database, utc_now
from chassis.lua import load_script
from chassis.redis_client import redis_errors
from news_service.articles.ranking import add_views
from news_service.articles.tables import NewsViewFlush
from news_service.articles.views import COUNTED

log = get_logger(__name__)
FLUSHING = "news:views-flushing"
_ID = "flush-id"
_KEPT_IDS = timedelta(days=30)


class ViewFlush:
    """Moves the counted views from Redis to the database."""

    def __init__(self, database: Database, redis: Redis, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._take_views = load_script(redis, __file__, "take_views")
        self._finish = load_script(redis, __file__, "finish_flush")
        self._clock = clock

    def flush(self) -> int:
        """Add the counted views to the articles and return how many this call added.

        Raises:
            DependencyUnavailable: Redis or the database is away. Nothing is lost; the next flush does the work.
        """
        with redis_errors():
            flat: list[str] = self._take_views(keys=[COUNTED, FLUSHING], args=[_ID, uuid.uuid4().hex])
        counted = dict(zip(flat[::2], flat[1::2], strict=True))
        if not counted:
            return 0
        flush_id = counted.pop(_ID)
        added = self._add_once(flush_id, {int(article_id): int(views) for article_id, views in counted.items()})
        with redis_errors():
            self._finish(keys=[FLUSHING], args=[_ID, flush_id])
        return added

    def _add_once(self, flush_id: str, views: dict[int, int]) -> int:
        try:
            with self._database.write() as session:
                session.execute(delete(NewsViewFlush).where(NewsViewFlush.flushed_at < self._clock() - _KEPT_IDS))
                session.add(NewsViewFlush(id=flush_id, flushed_at=self._clock()))
                session.flush()
                return add_views(session, views)
        except IntegrityError:
            log.info("views_added_by_another_worker", flush_id=flush_id)
            return 0
