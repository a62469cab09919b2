"""Publishes to the gateways which sessions are over, through the Redis stream ``user:revocations``.

An entry names one session (``kind`` session), or all sessions of a user or of all users (user, all) up to and with
the id ``through``. Session ids sort by the time at which the sessions began, so such a limit needs no clock at the
gateway. ``until`` is the Unix time from which on every token that the entry concerns has expired by itself. ``keys``
says that the key set changed.

Publishing never fails a request. An entry that Redis did not accept is still in the database as ``revoked_at``, and
`revocation_replay` publishes it again.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any  # What XADD takes, in redis-py's invariant types.

from redis import Redis
from structlog import get_logger

from chassis.errors import DependencyUnavailable
from chassis.redis_client import redis_errors

log = get_logger(__name__)
STREAM = "user:revocations"
_MARGIN_SECONDS = 300  # Clocks that differ, and the gateway's leeway.
_PAGE = 1000


class Revocations:
    """Writes the stream, and knows whether entries may be missing in it. Threads share it."""

    def __init__(self, redis: Redis, *, token_seconds: int) -> None:
        self.retention = timedelta(seconds=token_seconds + _MARGIN_SECONDS)
        # A session that was last used longer ago has no valid token: a repeated refresh is no use of it, and is
        # answered for one token's life.
        self.tokens_outlive_use = self.retention + timedelta(seconds=token_seconds)
        self._redis = redis
        self._newest: str | None = None
        self._run_id: str | None = None
        # At the start it may be: another process may have ended between its commit and its entry.
        self._is_incomplete = True

    def end_sessions(self, session_ids: Iterable[str], now: datetime) -> None:
        """Have every access token of some sessions refused."""
        self._publish([{"kind": "session", "id": session_id} for session_id in session_ids], now)

    def end_sessions_of_user(self, user_id: int, *, through: str, now: datetime) -> None:
        """Have the tokens of a user's sessions up to and with the id ``through`` refused."""
        self._publish([{"kind": "user", "id": str(user_id), "through": through}], now)

    def end_all_sessions(self, *, through: str, now: datetime) -> None:
        """Have the tokens of all sessions up to and with the id ``through`` refused."""
        self._publish([{"kind": "all", "id": "", "through": through}], now)

    def change_keys(self, now: datetime) -> None:
        """Have every gateway fetch the public keys again."""
        self._publish([{"kind": "keys", "id": ""}], now)

    def take_incompleteness(self) -> bool:
        """Say whether Redis missed an entry, or may have lost one: it was restarted, replaced or emptied.

        The answer is true once. The caller must then publish the recent entries again, or call `mark_incomplete`.

        Raises:
            DependencyUnavailable: Redis is away.
        """
        with redis_errors():
            run_id = str(self._redis.info("server")["run_id"])
            has_newest = self._newest is None or bool(self._redis.xrange(STREAM, self._newest, self._newest))
        is_incomplete = self._is_incomplete or run_id != self._run_id or not has_newest
        # This is set before the caller reads the database: an entry that fails from now on marks it again.
        self._is_incomplete, self._run_id, self._newest = False, run_id, self._newest if has_newest else None
        return is_incomplete

    def mark_incomplete(self) -> None:
        """Note that an entry was not published."""
        self._is_incomplete = True

    def _publish(self, entries: list[dict[str, str]], now: datetime) -> None:
        until = int((now + self.retention).timestamp())
        try:
            with redis_errors():
                # By the clock of Redis, which the ids of the entries come from: by ours, if it were fast, the new
                # entries would be cut off at once.
                redis_seconds = self._redis.time()[0]
            oldest = f"{int((redis_seconds - self.retention.total_seconds()) * 1000)}-0"
            for start in range(0, len(entries), _PAGE):
                with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
                    for entry in entries[start : start + _PAGE]:
                        fields: dict[Any, Any] = {**entry, "until": until}
                        pipe.xadd(STREAM, fields, minid=oldest, approximate=True)
                    self._newest = str(pipe.execute()[-1])
        except DependencyUnavailable as error:
            self.mark_incomplete()
            log.warning("revocation_owed", entries=len(entries), error=str(error.__cause__))
