"""Records delivery receipts: each once, in any order, for texts that we know; they feed the delivery metrics."""

import enum
import hashlib
import hmac
from collections.abc import Mapping

from redis import Redis
from structlog import get_logger

from chassis.errors import Forbidden, NotFound, RequestRefused
from chassis.lua import load_script
from chassis.redis_client import redis_errors
from sms_service import metrics
from sms_service.codes.keys import job_reference_key, message_reference_key
from sms_service.providers.receipts import Receipt, ReceiptForged, ReceiptMalformed, ReceiptReader, ReceiptRequest

log = get_logger(__name__)
_CODE_CHARACTERS = 64


class ReceiptResult(enum.StrEnum):
    """What became of a receipt."""

    TAKEN = "taken"
    REPEATED = "repeated"
    LATE = "late"
    UNKNOWN = "unknown"


class Receipts:
    """The receipts of all providers. ``secret`` stands in their addresses; without one there are no receipts."""

    def __init__(self, redis: Redis, readers: Mapping[str, ReceiptReader], *, secret: str | None) -> None:
        self._readers = readers
        self._secret = secret
        self._receive = load_script(redis, __file__, "receive")

    def process(self, provider: str, secret: str, request: ReceiptRequest) -> Mapping[str, object]:
        """Record the receipts of one request, and return the body that the provider expects.

        Raises:
            NotFound: no such address.
            Forbidden: the provider's signature is wrong.
            RequestRefused: not this provider's form.
            DependencyUnavailable: Redis is away; the provider will send them again.
        """
        reader = self._readers.get(provider)
        is_secret_right = self._secret is not None and hmac.compare_digest(secret.encode(), self._secret.encode())
        if reader is None or not is_secret_right:
            raise NotFound
        try:
            receipts = reader.read_receipts(request)
        except ReceiptForged as error:
            raise Forbidden from error
        except ReceiptMalformed as error:
            raise RequestRefused("This is not a receipt of this provider.") from error
        for receipt in receipts:
            result = self._record(provider, receipt)
            metrics.RECEIPTS.labels(provider, receipt.status.value, result.value).inc()
        return reader.acknowledgement

    def _record(self, provider: str, receipt: Receipt) -> ReceiptResult:
        identity = f"{receipt.message_id}\0{receipt.job_id}\0{receipt.status}"
        mark = f"sms:receipt:{provider}:{hashlib.sha256(identity.encode()).hexdigest()[:32]}"
        keys = [mark, message_reference_key(provider, receipt.message_id), job_reference_key(receipt.job_id)]
        with redis_errors():
            result, *details = self._receive(keys, [provider, receipt.status, receipt.code[:_CODE_CHARACTERS]])
        if result == ReceiptResult.TAKEN:
            metrics.HANDOVER_TO_RECEIPT_SECONDS.labels(provider).observe(details[1] / 1000)
            log.info("receipt_taken", provider=provider, status=receipt.status.value, country=details[0])
        return ReceiptResult(result)
