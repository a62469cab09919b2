"""Takes delivery receipts: each once, in any order, for texts that we know; they feed the delivery metrics."""

import enum
import hashlib
import hmac
from collections.abc import Iterable, Mapping

from redis import Redis
from structlog import get_logger

from chassis.errors import Forbidden, NotFound, RequestRefused
from chassis.redis_client import redis_errors
from sms_service import metrics
from sms_service.codes.keys import job_reference_key, message_reference_key
from sms_service.lua import load_script
from sms_service.providers.receipts import Receipt, ReceiptForged, ReceiptMalformed, ReceiptReader, ReceiptRequest

log = get_logger(__name__)
_CODE_CHARACTERS = 64


class Taken(enum.StrEnum):
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

    def take(self, provider: str, secret: str, request: ReceiptRequest) -> Mapping[str, object]:
        """Take the receipts of one request, and return the body that the provider expects.

        Raises:
            NotFound: no such address.
            Forbidden: the provider's signature is wrong.
            RequestRefused: not this provider's form.
            DependencyUnavailable: Redis is away; the provider sends them again.
        """
        reader = self._readers.get(provider)
        known = self._secret is not None and hmac.compare_digest(secret.encode(), self._secret.encode())
        if reader is None or not known:
            raise NotFound
        try:
            receipts = reader.read(request)
        except ReceiptForged as error:
            raise Forbidden from error
        except ReceiptMalformed as error:
            raise RequestRefused("This is not a receipt of this provider.") from error
        self._take_all(provider, receipts)
        return reader.answer

    def _take_all(self, provider: str, receipts: Iterable[Receipt]) -> None:
        for receipt in receipts:
            taken = self._take(provider, receipt)
            metrics.RECEIPTS.labels(provider, receipt.status.value, taken.value).inc()

    def _take(self, provider: str, receipt: Receipt) -> Taken:
        named = f"{receipt.message_id}\0{receipt.job_id}\0{receipt.status}"
        mark = f"sms:receipt:{provider}:{hashlib.sha256(named.encode()).hexdigest()[:32]}"
        keys = [mark, message_reference_key(provider, receipt.message_id), job_reference_key(receipt.job_id)]
        with redis_errors():
            taken, *more = self._receive(keys, [provider, receipt.status, receipt.code[:_CODE_CHARACTERS]])
        if taken == Taken.TAKEN:
            metrics.HANDOVER_TO_RECEIPT_SECONDS.labels(provider).observe(more[1] / 1000)
            log.info("receipt_taken", provider=provider, status=receipt.status.value, country=more[0])
        return Taken(taken)
