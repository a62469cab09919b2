"""Follows the stream ``user:revocations`` of user-service, so that ended sessions are refused within seconds.

An entry ends one session, or all sessions of one user or of all users up to and with the session id ``through``. Ids
sort by the time at which sessions began, so no clock is compared. This process keeps what it read until the tokens have
expired, also when Redis is away or empty; user-service writes again what Redis lost.

It fails closed: if the stream was not read for a while, signed-in users can change nothing any more, and a little later
not even read (`Settings.revocations_stale_seconds`, `revocations_lost_seconds`).
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from redis import Redis, RedisError
from structlog import get_logger

from chassis.errors import DependencyUnavailable, Unauthenticated
from gateway.auth.verifier import Identity
from gateway.metrics import REVOCATIONS_AGE

log = get_logger(__name__)
STREAM = "user:revocations"
_BLOCK_MILLISECONDS = 1000
# Longer than any access token lives (user-service allows an hour), and the leeway of both sides.
_KEEP_SECONDS = 3900.0
_PRUNE_SECONDS = 60
_FROM_THE_START = "0-0"
_RETRY_SECONDS = 0.5
_PAGE = 1000


class Revocations:
    """Knows the sessions whose tokens are revoked; one thread per process reads the stream."""

    def __init__(
        self,
        redis: Redis,
        *,
        stale_seconds: float,
        lost_seconds: float,
        on_new_keys: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._stale_seconds = stale_seconds
        self._lost_seconds = lost_seconds
        self._clock = clock
        self._monotonic = monotonic
        self._on_new_keys = on_new_keys
        self._position = _FROM_THE_START
        self._read_at = float("-inf")
        self._is_caught_up = False
        self._pruned_at = monotonic()
        self._sessions: dict[str, float] = {}  # Ended session -> the time after which its tokens have expired.
        self._users: dict[str, tuple[str, float]] = {}  # User -> the last ended session, and the time as above.
        self._all_through = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the reading thread; called after the fork."""
        self._thread = threading.Thread(target=self._run, name="revocations", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def check_identity(self, identity: Identity, *, is_unsafe: bool) -> None:
        """Check that an identity's session has not ended.

        Raises:
            Unauthenticated: its session ended.
            DependencyUnavailable: the stream was not read lately, so it is not known.
        """
        if self.is_revoked(identity):
            raise Unauthenticated
        if self.age_seconds() > (self._stale_seconds if is_unsafe else self._lost_seconds):
            raise DependencyUnavailable("It is not known now whether your session is still valid.")

    def is_revoked(self, identity: Identity) -> bool:
        """Say whether the identity was revoked, as far as the stream was read."""
        session_id = identity.session_id
        through, _ = self._users.get(str(identity.user_id), ("", 0.0))
        return session_id in self._sessions or session_id <= max(through, self._all_through)

    def end_session(self, session_id: str) -> None:
        """Refuse a session from now on in this process, before the stream says so."""
        self._sessions[session_id] = self._clock() + _KEEP_SECONDS

    def age_seconds(self) -> float:
        """Return how long ago the stream was read to its end."""
        return self._monotonic() - self._read_at

    def ping(self) -> None:
        """Raise unless the stream is read; the ping of ``/readyz``."""
        if self.age_seconds() > self._stale_seconds:
            raise DependencyUnavailable

    def read_once(self, *, block_milliseconds: int | None = None) -> None:
        """Read what is new in the stream."""
        # Any: redis-py types the answers of every protocol version; ours is a list of streams.
        answer: Any = self._redis.xread({STREAM: self._position}, count=_PAGE, block=block_milliseconds)
        entries: list[tuple[str, dict[str, str]]] = answer[0][1] if answer else []
        for entry_id, fields in entries:
            self._apply(fields)
            self._position = entry_id
        if not entries and self._is_another_stream():
            log.warning("revocations_read_again")
            self._position, self._is_caught_up = _FROM_THE_START, False
            return
        self._is_caught_up = len(entries) < _PAGE
        if self._is_caught_up:
            self._read_at = self._monotonic()
        if self._monotonic() - self._pruned_at > _PRUNE_SECONDS:
            self._prune()

    def _is_another_stream(self) -> bool:
        """Say whether the stream is gone or a new one took its place, as after a loss of Redis' data."""
        if self._position == _FROM_THE_START:
            return False
        newest: Any = self._redis.xrevrange(STREAM, count=1)
        return not newest or _parts(newest[0][0]) < _parts(self._position)

    def _apply(self, fields: dict[str, str]) -> None:
        try:
            kind, subject, until = fields["kind"], fields["id"], float(fields["until"])
            if kind == "session":
                self._sessions[subject] = max(until, self._sessions.get(subject, 0.0))
            elif kind == "user":
                known, known_until = self._users.get(subject, ("", 0.0))
                self._users[subject] = (max(fields["through"], known), max(until, known_until))
            elif kind == "all":
                self._all_through = max(fields["through"], self._all_through)
            elif kind == "keys":
                self._on_new_keys()
        except (KeyError, ValueError):
            # An unreadable entry must not stop the thread. It may have ended any session, so all so far count as ended.
            log.exception("revocation_unreadable")
            self._all_through = max(f"{int(self._clock() * 1000):012x}{'f' * 20}", self._all_through)

    def _prune(self) -> None:
        now = self._clock()
        for session_id in [key for key, until in list(self._sessions.items()) if until < now]:
            del self._sessions[session_id]
        for user_id in [key for key, (_, until) in self._users.items() if until < now]:
            del self._users[user_id]
        self._pruned_at = self._monotonic()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                # The first read does not wait for new entries: this process is ready after reading the old ones.
                self.read_once(block_milliseconds=_BLOCK_MILLISECONDS if self._is_caught_up else None)
            except (RedisError, IndexError, KeyError, TypeError) as error:
                log.warning("revocations_not_read", error=type(error).__name__)
                self._stop.wait(_RETRY_SECONDS)
            # Here and not in `ping`: a worker that no readiness check happens to reach must be seen too.
            REVOCATIONS_AGE.set(min(self.age_seconds(), 86_400.0))


def _parts(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)
