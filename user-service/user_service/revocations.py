"""Tells the gateways which sessions are over, through the stream ``user:revocations``."""

from datetime import datetime, timedelta

from redis import Redis

from chassis.redis_client import redis_errors

STREAM = "user:revocations"
# Longer than any access token lives: after that nobody needs to know.
_KEPT_SECONDS = 900


class Revocations:
    """Writes the stream. Fails closed: an end that no gateway hears of is reported, so that the client repeats it."""

    def __init__(self, redis: Redis, *, kept_seconds: int = _KEPT_SECONDS) -> None:
        self._redis = redis
        self._kept_seconds = kept_seconds

    def end_session(self, session_id: str, now: datetime) -> None:
        """Kill every access token of one session.

        Raises:
            DependencyUnavailable: Redis is away; saying it again later is harmless.
        """
        self._add("session", session_id, now)

    def end_user(self, user_id: int, now: datetime) -> None:
        """Kill every access token that a user got before now; raises as `end_session`."""
        self._add("user", str(user_id), now)

    def end_everybody(self, now: datetime) -> None:
        """Kill every access token that anybody got before now, or within its second; raises as `end_session`."""
        self._add("all", "everybody", now + timedelta(seconds=1))

    def _add(self, kind: str, ended: str, now: datetime) -> None:
        not_before = int(now.timestamp())
        oldest = f"{(not_before - self._kept_seconds) * 1000}-0"
        with redis_errors():
            self._redis.xadd(
                STREAM, {"kind": kind, "id": ended, "not_before": not_before}, minid=oldest, approximate=True
            )
