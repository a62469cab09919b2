"""The public keys of user-service (JWKS, RFC 7517), held in memory and refreshed by a background thread."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any  # The document is another service's JSON, of any shape until it is checked.

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from structlog import get_logger

from chassis.errors import DependencyUnavailable, XinjingError
from gateway.metrics import KEYS_AGE

log = get_logger(__name__)
REFRESH_SECONDS = 300
COOLDOWN_SECONDS = 30  # An unknown key id causes at most one fetch in this time.
STALE_IF_ERROR_SECONDS = 24 * 3600
_FIRST_RETRY_SECONDS = 0.5
_WAIT_SECONDS = 1.0


class PublicKeys:
    """Finds keys by their id. Only the first request with an unknown key id waits for the network."""

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

    def find_key(self, key_id: str) -> EllipticCurvePublicKey | None:
        """Return the key of that id, or None.

        Raises:
            DependencyUnavailable: no keys are known, or none that were fetched within a day.
        """
        if self._clock() - self._fetched_at > STALE_IF_ERROR_SECONDS:
            raise DependencyUnavailable("The keys of the accounts are not known yet.")
        key = self._keys.get(key_id)
        if key is None and self._wake_for_new_keys():
            self._refreshed.wait(_WAIT_SECONDS)
            key = self._keys.get(key_id)
        return key

    def has_key(self, key_id: str) -> bool:
        """Say whether a key is in the newest set, without fetching; a withdrawn key is not."""
        return key_id in self._keys

    def refresh_soon(self) -> None:
        """Let the thread fetch the keys now, because user-service says that they changed."""
        self._wake.set()

    def ping(self) -> None:
        """Raise unless there are usable keys; the ping of ``/readyz``."""
        KEYS_AGE.set(min(self._clock() - self._fetched_at, 10 * STALE_IF_ERROR_SECONDS))
        if self._clock() - self._fetched_at > STALE_IF_ERROR_SECONDS:
            raise DependencyUnavailable

    def refresh(self) -> bool:
        """Fetch the keys once; on failure the old ones stay."""
        try:
            keys = read_jwk_set(self._fetch())
        except (XinjingError, ValueError) as error:
            log.warning("keys_not_refreshed", error=str(error))
            return False
        self._keys, self._fetched_at = keys, self._clock()
        self._refreshed.set()
        return True

    def _wake_for_new_keys(self) -> bool:
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


def read_jwk_set(document: Any) -> dict[str, EllipticCurvePublicKey]:
    """Read a JWK set; only P-256 keys for ES256 signatures are accepted, each with an id of its own.

    Raises:
        ValueError: the document or one of its keys is not acceptable.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError("no keys in the JWK set")
    keys: dict[str, EllipticCurvePublicKey] = {}
    for entry in entries:
        key_id = _key_id(entry)
        if key_id in keys:
            raise ValueError("two keys with one id in the JWK set")
        keys[key_id] = _public_key(entry)
    return keys


def _key_id(entry: Any) -> str:
    expected = {"kty": "EC", "crv": "P-256"}
    optional = {"alg": "ES256", "use": "sig", "key_ops": ["verify"]}
    if not isinstance(entry, dict) or any(entry.get(name) != value for name, value in expected.items()):
        raise ValueError("a key of another kind in the JWK set")
    if any(name in entry and entry[name] != value for name, value in optional.items()) or "d" in entry:
        raise ValueError("a key for another use in the JWK set")
    if not isinstance(entry.get("kid"), str):
        raise ValueError("a key without an id in the JWK set")  # noqa: TRY004 - it is the document that is wrong.
    return str(entry["kid"])


def _public_key(entry: dict[str, Any]) -> EllipticCurvePublicKey:
    try:
        key = jwt.algorithms.ECAlgorithm.from_jwk(json.dumps(entry))
    except jwt.InvalidKeyError as error:
        raise ValueError("a malformed key in the JWK set") from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError("a private key in the JWK set")  # noqa: TRY004
    return key
