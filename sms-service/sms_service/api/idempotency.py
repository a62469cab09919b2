"""The header Idempotency-Key: a repeated request gets the first answer again, and nobody is texted twice.

Source: https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07. We keep keyed digests and
the answer, which names no mobile.
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
from chassis.lua import load_script
from chassis.redis_client import redis_errors
from sms_service import metrics
from sms_service.codes.crypto import CodeKeys

log = get_logger(__name__)
_LONGEST_TRY_MS = 30_000  # Longer than all time-outs of a request together; after a crash the key is free then.
_ASK_AGAIN_SECONDS = 2
_FINAL = {error.code: error for error in (CaptchaWrong, CaptchaExpired)}  # Asking again would not change them.


class AcceptedCodeRequest(TypedDict):
    """The answer of an accepted request, in seconds."""

    expires_in: int
    resend_after: int


class IdempotencyKeys:
    """The keys of the last hours, in Redis."""

    def __init__(self, redis: Redis, keys: CodeKeys, *, keep_hours: int) -> None:
        self._keys = keys
        self._keep_ms = keep_hours * 3_600_000
        self._begin, self._end = (load_script(redis, __file__, f"idempotency_{name}") for name in ("begin", "end"))

    def run_once(
        self, key: str | None, request: str, *, caller: str, act: Callable[[], AcceptedCodeRequest]
    ) -> AcceptedCodeRequest:
        """Call ``act``; but if the caller's key came before with the same request, return the answer to that one.

        Accepted requests and refusals of their captcha are repeated for hours. Any other failure, like a crash, frees
        the key. ``caller`` is empty or the user's id: users never share keys.

        Raises:
            IdempotencyKeyReused: the key came with another request.
            IdempotencyKeyInFlight: the first request is not answered yet.
            SmsUnavailable: Redis is away.
            XinjingError: what ``act`` raises, and CaptchaWrong or CaptchaExpired again.
        """
        if key is None:
            return act()
        record, token = f"sms:idempotency:{self._keys.request_digest(caller, key)}", uuid.uuid4().hex
        earlier = self._find_earlier(record, token, self._keys.request_digest(caller, key, request))
        if earlier is not None:
            return earlier
        kept = ""
        try:
            accepted = act()
            kept = json.dumps(accepted)
        except tuple(_FINAL.values()) as error:
            kept = json.dumps({"code": error.code})
            raise
        finally:
            self._keep_answer(record, token, kept)
        return accepted

    def _find_earlier(self, record: str, token: str, request: str) -> AcceptedCodeRequest | None:
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
        return AcceptedCodeRequest(expires_in=kept["expires_in"], resend_after=kept["resend_after"])

    def _keep_answer(self, record: str, token: str, answer: str) -> None:
        # If the answer cannot be kept, the client gets it all the same. A repeated request then fails, because its
        # captcha is used up.
        try:
            with redis_errors():
                self._end([record], [token, answer, self._keep_ms])
        except DependencyUnavailable as error:
            log.warning("idempotency_key_lost", error=str(error))
