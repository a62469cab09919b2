"""Publishes revocations again that the gateways may have missed; one thread per process watches the stream."""

import threading
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from structlog import get_logger

from chassis.database import Database
from chassis.errors import DependencyUnavailable
from user_service.models import UserSession
from user_service.tokens.revocations import Revocations

log = get_logger(__name__)
# Together with the second that the gateway waits between two reads this stays below the promised five.
_INTERVAL_SECONDS = 1.0


class RevocationReplayer:
    """Uses the database as the outbox: it holds every recent revocation, and to publish one twice is harmless.

    It publishes them again when this process starts, when Redis did not accept an entry, and when Redis was restarted,
    was replaced by a replica or lost the stream.
    """

    def __init__(self, database: Database, revocations: Revocations, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._revocations = revocations
        self._clock = clock
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, unless it runs."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="revocation-replay", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def replay_if_incomplete(self) -> None:
        """Check the stream once, and publish the recent revocations again if any may be missing.

        Raises:
            DependencyUnavailable: Redis or the database is away.
        """
        if not self._revocations.take_incompleteness():
            return
        now = self._clock()
        since = now - self._revocations.retention
        used_since = now - self._revocations.tokens_outlive_use
        try:
            with self._database.read() as db:
                session_ids = db.scalars(
                    select(UserSession.id).where(UserSession.revoked_at > since, UserSession.last_used_at > used_since)
                ).all()
        except DependencyUnavailable:
            self._revocations.mark_incomplete()
            raise
        self._revocations.end_sessions(session_ids, now)
        log.info("revocations_repeated", sessions=len(session_ids))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.replay_if_incomplete()
            except DependencyUnavailable as error:
                log.warning("herald_waits", error=str(error))
            self._stop.wait(_INTERVAL_SECONDS)
