"""Repeats to the gateways what they may have missed: one thread per process looks after the revocation stream."""

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
_LOOK_SECONDS = 1.0  # With the gateway's own second this stays below the promised five.


class Herald:
    """The database is the outbox: what was ended lately stands there, and saying it twice is harmless.

    It is said again when this process starts, when Redis did not take an entry, and when Redis restarted, was replaced
    by a replica or lost the stream.
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
                self._thread = threading.Thread(target=self._run, name="herald", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Look after the stream once.

        Raises:
            DependencyUnavailable: Redis or the database is away.
        """
        if not self._revocations.may_lack_something():
            return
        now = self._clock()
        since = now - self._revocations.kept
        try:
            with self._database.read() as db:
                ended = db.scalars(
                    # Sessions that were not used for so long have no living token.
                    select(UserSession.id).where(UserSession.revoked_at > since, UserSession.last_used_at > since)
                ).all()
        except DependencyUnavailable:
            self._revocations.owe()
            raise
        self._revocations.end_sessions(ended, now)
        log.info("revocations_repeated", sessions=len(ended))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except DependencyUnavailable as error:
                log.warning("herald_waits", error=str(error))
            self._stop.wait(_LOOK_SECONDS)
