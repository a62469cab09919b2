"""What keeps a flood of comments away: limits per user and network, repeated texts, accounts that are too new.

All of it fails closed: without Redis or user-service nobody writes, because a flood would else only have to wait for
an outage. Reading goes on.
"""

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis import Redis

from chassis.addresses import client_network
from chassis.database import utc_now
from chassis.errors import AccountTooNew, DependencyUnavailable, TextRepeated
from chassis.redis_client import redis_errors
from news_service.clients.user_service import Users
from news_service.rate_limits import RateLimits

REPEATED_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class SpamBounds:
    """Comments per minute of one user and of one network, and how many seconds a new account waits."""

    per_user_per_minute: int
    per_ip_per_minute: int
    new_accounts_wait_seconds: int


class SpamGuard:
    """Admits what people write."""

    def __init__(
        self, redis: Redis, users: Users, *, bounds: SpamBounds, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._redis = redis
        self._limits = RateLimits(redis)
        self._users = users
        self._bounds = bounds
        self._clock = clock

    @contextmanager
    def admit_text(self, user_id: int, text: str, *, ip: str) -> Iterator[None]:
        """Charge the limits for a text, and run the block that stores it; if that fails, the text may come again.

        Raises:
            AccountTooNew: the account does not exist for long enough; ``Retry-After`` says when it does.
            TooManyRequests: the user or the network wrote too much within a minute.
            TextRepeated: the user sent the same text within a minute.
            NotFound: the account is gone.
            DependencyUnavailable: Redis is away, or user-service, which knows the age of the account.
        """
        self._check_age(user_id)
        self._limits.charge("comments-of-user", str(user_id), per_minute=self._bounds.per_user_per_minute)
        self._limits.charge("comments-of-network", client_network(ip), per_minute=self._bounds.per_ip_per_minute)
        mark = f"news:comment-text:{user_id}:{hashlib.sha256(text.encode()).hexdigest()[:32]}"
        with redis_errors():
            if not self._redis.set(mark, 1, nx=True, ex=REPEATED_SECONDS):
                raise TextRepeated(retry_after_seconds=max(1, int(self._redis.ttl(mark))))
        try:
            yield
        except BaseException:
            # The first error says what happened. A mark that Redis cannot delete now runs out by itself.
            with suppress(DependencyUnavailable), redis_errors():
                self._redis.delete(mark)
            raise

    def _check_age(self, user_id: int) -> None:
        created_at = self._users.user_by_id(user_id).created_at
        if created_at is None:  # An imported account, older than all of this.
            return
        waits_until = created_at + timedelta(seconds=self._bounds.new_accounts_wait_seconds)
        left = (waits_until - self._clock()).total_seconds()
        if left > 0:
            raise AccountTooNew(retry_after_seconds=math.ceil(left))
