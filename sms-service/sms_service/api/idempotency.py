"""The header Idempotency-Key: a repeated request gets the first answer again, and nobody is texted twice.

draft-ietf-httpapi-idempotency-key-header-07. What is kept are keyed digests and the answer, which names no mobile.
"""

import json
import uuid
from collections.abc import Callable
from typing import TypedDict

from redis import Redis
from structlog import get_logger

from chassis.errors import (
    CaptchaExpired,
    CaptchaWrong,
    DependencyUnavailable,
    IdempotencyKeyInFlight,
    IdempotencyKeyReused,
    SmsUnavailable,
)
from chassis.redis_client import redis_errors
from sms_service import metrics
from sms_service.codes.crypto import CodeKeys
from sms_service.lua import load_script

log = get_logger(__name__)
_LONGEST_TRY_MS = 30_000  # Longer than all time-outs of a request together; after a crash the key is free then.
_ASK_AGAIN_SECONDS = 2
_FINAL = {error.code: error for error in (CaptchaWrong, CaptchaExpired)}  # Asking again would not change them.


class Promise(TypedDict):
    """The answer of an accepted request, in seconds."""

    expires_in: int
    resend_after: int


class IdempotencyKeys:
    """The keys of the last hours, in Redis."""

    def __init__(self, redis: Redis, keys: CodeKeys, *, keep_hours: int) -> None:
        self._keys = keys
        self._keep_ms = keep_hours * 3_600_000
        self._begin, self._end = (load_script(redis, __file__, f"idempotency_{name}") for name in ("begin", "end"))

    def once(self, key: str | None, request: str, *, caller: str, act: Callable[[], Promise]) -> Promise:
        """Act, unless the caller's key came before with the same request; then repeat the answer that this one got.

        Accepted requests and refusals of their captcha are repeated for hours. Any other failure, like a crash, frees
        the key. ``caller`` is empty or the user's id: nobody meets another user's keys.

        Raises:
            IdempotencyKeyReused: the key came with another request.
            IdempotencyKeyInFlight: the first request is not answered yet.
            SmsUnavailable: Redis is away.
            XinjingError: what ``act`` raises, and CaptchaWrong or CaptchaExpired again.
        """
        if key is None:
            return act()
        record, token = f"sms:idempotency:{self._keys.request_digest(caller, key)}", uuid.uuid4().hex
        earlier = self._earlier(record, token, self._keys.request_digest(caller, key, request))
        if earlier is not None:
            return earlier
        kept = ""
        try:
            promise = act()
            kept = json.dumps(promise)
        except tuple(_FINAL.values()) as error:
            kept = json.dumps({"code": error.code})
            raise
        finally:
            self._keep(record, token, kept)
        return promise

    def _earlier(self, record: str, token: str, request: str) -> Promise | None:
        try:
            with redis_errors():
                state, *answer = self._begin([record], [request, token, _LONGEST_TRY_MS])
        except DependencyUnavailable as error:
            raise SmsUnavailable from error
        if state == "begun":
            return None
        metrics.REQUESTS.labels(f"idempotency_{state}").inc()
        if state == "reused":
            raise IdempotencyKeyReused
        if state == "in_flight":
            raise IdempotencyKeyInFlight(retry_after_seconds=_ASK_AGAIN_SECONDS)
        kept = json.loads(answer[0])
        if "code" in kept:
            raise _FINAL[kept["code"]]
        return Promise(expires_in=kept["expires_in"], resend_after=kept["resend_after"])

    def _keep(self, record: str, token: str, answer: str) -> None:
        # The request has its answer, whether this can be kept or not; a repeated one meets a captcha that is used up.
        try:
            with redis_errors():
                self._end([record], [token, answer, self._keep_ms])
        except DependencyUnavailable as error:
            log.warning("idempotency_key_lost", error=str(error))
