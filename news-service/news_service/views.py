"""Counts views in Redis: one per reader and article in half an hour, without keeping anybody's address."""

import hashlib
import re
import secrets
from collections.abc import Callable
from datetime import datetime

from redis import Redis
from structlog import get_logger

from chassis.database import utc_now
from chassis.errors import DependencyUnavailable
from chassis.redis_client import redis_errors

log = get_logger(__name__)
COUNTED = "news:views"
"""The hash of views that are counted but not yet added to the articles: article id → views."""

_SALT_SECONDS = 2 * 24 * 3600
_ROBOTS = re.compile(r"bot\b|bot[/;]|crawl|spider|slurp|preview|headless|curl/|wget/|python-|httpclient", re.IGNORECASE)


class Views:
    """Counts views; `view_flushes.ViewFlusher` adds them to the articles later, so that reading stays read-only."""

    def __init__(self, redis: Redis, *, once_per_seconds: int, now: Callable[[], datetime] = utc_now) -> None:
        self._redis = redis
        self._once_per_seconds = once_per_seconds
        self._now = now

    def count(self, article_id: int, *, ip: str, user_agent: str) -> None:
        """Count one view, unless a robot looks or the same reader did so lately.

        Fails open: without Redis the view is not counted, and the reader notices nothing.
        """
        if not user_agent or _ROBOTS.search(user_agent):
            return
        try:
            with redis_errors():
                reader = self._reader(ip, user_agent)
                # The mark comes first: a crash in between loses one view and never counts one twice.
                if self._redis.set(f"news:view:{article_id}:{reader}", 1, nx=True, ex=self._once_per_seconds):
                    self._redis.hincrby(COUNTED, str(article_id), 1)
        except DependencyUnavailable as error:
            log.warning("view_not_counted", article_id=article_id, exc_info=error)

    def _reader(self, ip: str, user_agent: str) -> str:
        # The salt is random and forgotten soon, so that nobody can find out later whose address a mark belongs to.
        day = f"{self._now():%Y%m%d}"
        key = f"news:view-salt:{day}"
        with self._redis.pipeline() as commands:
            commands.set(key, secrets.token_hex(16), nx=True, ex=_SALT_SECONDS)
            commands.get(key)
            salt = commands.execute()[1]
        return hashlib.sha256(f"{ip}\n{user_agent}\n{salt}".encode()).hexdigest()[:16]
