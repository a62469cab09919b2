"""Counts views in Redis: one per reader and article in half an hour. No address is stored."""

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class Views:
    """Counts views in Redis; `view_flush.ViewFlush` adds them to the articles later, so that reading writes nothing."""

    redis: Redis
    once_per_seconds: int
    clock: Callable[[], datetime] = utc_now

    def count_view(self, article_id: int, *, ip: str, user_agent: str) -> None:
        """Count one view, unless it is a robot's or the same reader's view was counted lately.

        Fails open: without Redis the view is not counted, and the reader notices nothing.
        """
        if not user_agent or _ROBOTS.search(user_agent):
            return
        try:
            with redis_errors():
                reader = self._reader(ip, user_agent)
                # The mark is set first: a crash in between loses one view and never counts one twice.
                if self.redis.set(f"news:view:{article_id}:{reader}", 1, nx=True, ex=self.once_per_seconds):
                    self.redis.hincrby(COUNTED, str(article_id), 1)
        except DependencyUnavailable as error:
            log.warning("view_not_counted", article_id=article_id, exc_info=error)

    def score_again(self, article_id: int) -> None:
        """Let the next flush score an article again, because its comments or favourites have changed.

        A count of many rows would else stand in the transaction of every comment. Fails open: without Redis the score
        follows with the next view.
        """
        try:
            with redis_errors():
                self.redis.hincrby(COUNTED, str(article_id), 0)
        except DependencyUnavailable as error:
            log.warning("score_not_renewed", article_id=article_id, exc_info=error)

    def _reader(self, ip: str, user_agent: str) -> str:
        # The salt is random and deleted after two days, so that later nobody can find the address behind a mark.
        day = f"{self.clock():%Y%m%d}"
        key = f"news:view-salt:{day}"
        with self.redis.pipeline() as commands:
            commands.set(key, secrets.token_hex(16), nx=True, ex=_SALT_SECONDS)
            commands.get(key)
            salt = commands.execute()[1]
        return hashlib.sha256(f"{ip}\n{user_agent}\n{salt}".encode()).hexdigest()[:16]
