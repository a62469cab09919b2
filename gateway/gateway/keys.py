"""The public keys of user-service (JWKS, RFC 7517), held in memory and refreshed by a background thread."""

import threading
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from structlog import get_logger

from chassis.errors import DependencyUnavailable, XinjingError
from gateway.jwk_sets import read_keys
from gateway.observation import KEYS_AGE

log = get_logger(__name__)
REFRESH_SECONDS = 300
COOLDOWN_SECONDS = 30  # An unknown key id causes at most one fetch in this time.
STALE_IF_ERROR_SECONDS = 24 * 3600
_FIRST_RETRY_SECONDS = 0.5
_WAIT_SECONDS = 1.0


class PublicKeys:
    """Finds keys by their id; no request waits for the network, but for the first one with a new id."""

    def __init__(self, fetch: Callable[[], Any], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, EllipticCurvePublicKey] = {}
        self._fetched_at = float("-inf")
        self._woken_at = float("-inf")
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._refreshed = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the refreshing thread; called after the fork."""
        self._thread = threading.Thread(target=self._run, name="public-keys", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopped = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def find(self, key_id: str) -> EllipticCurvePublicKey | None:
        """Return the key of that id, or None.

        Raises:
            DependencyUnavailable: no keys are known, or none that were fetched within a day.
        """
        if self._clock() - self._fetched_at > STALE_IF_ERROR_SECONDS:
            raise DependencyUnavailable("The keys of the accounts are not known yet.")
        key = self._keys.get(key_id)
        if key is None and self._ask_for_new_keys():
            self._refreshed.wait(_WAIT_SECONDS)
            key = self._keys.get(key_id)
        return key

    def knows(self, key_id: str) -> bool:
        """Say whether a key is in the newest set, without asking for it; a key that was withdrawn is not."""
        return key_id in self._keys

    def renew(self) -> None:
        """Have the thread fetch the keys now: user-service says that they changed."""
        self._wake.set()

    def check(self) -> None:
        """Raise unless there are usable keys; the ping of ``/readyz``."""
        KEYS_AGE.set(min(self._clock() - self._fetched_at, 10 * STALE_IF_ERROR_SECONDS))
        if self._clock() - self._fetched_at > STALE_IF_ERROR_SECONDS:
            raise DependencyUnavailable

    def refresh(self) -> bool:
        """Fetch the keys once; on failure the old ones stay."""
        try:
            keys = read_keys(self._fetch())
        except (XinjingError, ValueError) as error:
            log.warning("keys_not_refreshed", error=str(error))
            return False
        self._keys, self._fetched_at = keys, self._clock()
        self._refreshed.set()
        return True

    def _ask_for_new_keys(self) -> bool:
        with self._lock:
            if self._clock() - self._woken_at < COOLDOWN_SECONDS:
                return not self._refreshed.is_set()
            self._woken_at = self._clock()
            self._refreshed.clear()
        self._wake.set()
        return True

    def _run(self) -> None:
        wait = _FIRST_RETRY_SECONDS
        while not self._stopped:
            if self.refresh():
                wait = REFRESH_SECONDS
            elif self._keys:
                wait = REFRESH_SECONDS / 10
            else:
                wait = min(wait * 2, 5.0)
            self._wake.wait(wait)
            self._wake.clear()
