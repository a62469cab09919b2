"""Tells the gateways which sessions are over, through the stream ``user:revocations``.

An entry names one session (``kind`` session), or all sessions of a user or of everybody (user, all) up to and with
the id ``through``: session ids sort by the time at which they began, so a cut-off needs no clock at the gateway. From
``until`` on, in Unix seconds, every token that an entry kills has expired by itself. ``keys`` says that the key set
changed.

Telling never fails a request. What Redis did not take stays written in the database, and `herald.Herald` says it again.
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
    """Writes the stream, and knows whether it may lack something. Threads share it."""

    def __init__(self, redis: Redis, *, token_seconds: int) -> None:
        self.kept = timedelta(seconds=token_seconds + _MARGIN_SECONDS)
        self._redis = redis
        self._newest: str | None = None
        self._run_id: str | None = None
        self._owes = True  # Until the first look: somebody may have died between writing and telling.

    def end_sessions(self, session_ids: Iterable[str], now: datetime) -> None:
        """Kill every access token of some sessions."""
        self._tell([{"kind": "session", "id": session_id} for session_id in session_ids], now)

    def end_user(self, user_id: int, *, through: str, now: datetime) -> None:
        """Kill the tokens of a user's sessions up to and with the id ``through``."""
        self._tell([{"kind": "user", "id": str(user_id), "through": through}], now)

    def end_everybody(self, *, through: str, now: datetime) -> None:
        """Kill the tokens of all sessions up to and with the id ``through``."""
        self._tell([{"kind": "all", "id": "", "through": through}], now)

    def change_keys(self, now: datetime) -> None:
        """Have every gateway fetch the public keys anew."""
        self._tell([{"kind": "keys", "id": ""}], now)

    def may_lack_something(self) -> bool:
        """Say whether Redis missed an entry, or may have lost one: it was restarted, replaced or emptied.

        Says so once; who asked must then repeat what is recent, or call `owe`.

        Raises:
            DependencyUnavailable: Redis is away.
        """
        with redis_errors():
            run_id = str(self._redis.info("server")["run_id"])
            is_whole = self._newest is None or bool(self._redis.xrange(STREAM, self._newest, self._newest))
        lacks = self._owes or run_id != self._run_id or not is_whole
        # Before the database is read: what fails to be told from now on is owed again.
        self._owes, self._run_id, self._newest = False, run_id, self._newest if is_whole else None
        return lacks

    def owe(self) -> None:
        """Note that something was not told."""
        self._owes = True

    def _tell(self, entries: list[dict[str, str]], now: datetime) -> None:
        until = int((now + self.kept).timestamp())
        oldest = f"{int((now - self.kept).timestamp() * 1000)}-0"
        try:
            for start in range(0, len(entries), _PAGE):
                with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
                    for entry in entries[start : start + _PAGE]:
                        fields: dict[Any, Any] = {**entry, "until": until}
                        pipe.xadd(STREAM, fields, minid=oldest, approximate=True)
                    self._newest = str(pipe.execute()[-1])
        except DependencyUnavailable as error:
            self.owe()
            log.warning("revocation_owed", entries=len(entries), error=str(error.__cause__))
