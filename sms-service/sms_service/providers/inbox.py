"""The provider for development and tests: texts are kept, sealed, for the inbox page."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from redis import Redis, RedisError

from chassis.mobiles import Mobile
from chassis.redis_client import redis_errors
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.purposes import Notice, Purpose
from sms_service.lua import load_script
from sms_service.providers.provider import Outcome, OutgoingSms, ProviderAnswer

_LIST = "sms:inbox"
_CONTEXT = "inbox"


@dataclass(frozen=True)
class InboxMessage:
    """One text as the inbox shows it."""

    mobile: Mobile
    text: str
    sent_at: datetime


class Inbox:
    """The texts of the last while, newest first: a bounded list that expires as a whole."""

    def __init__(self, redis: Redis, keys: CodeKeys, *, most_messages: int, ttl_seconds: int) -> None:
        self._redis = redis
        self._keys = keys
        self._most = most_messages
        self._ttl_seconds = ttl_seconds
        self._keep = load_script(redis, __file__, "inbox_keep")

    def keep(self, job_id: str, message: InboxMessage) -> None:
        """Keep a message; a second one of the same job is dropped.

        Raises:
            RedisError: Redis is away.
        """
        fields = {"mobile": message.mobile, "text": message.text, "sent_at": message.sent_at.isoformat()}
        sealed = self._keys.seal(json.dumps(fields), context=_CONTEXT)
        self._keep([_LIST, f"sms:inbox:job:{job_id}"], [sealed, self._most, self._ttl_seconds])

    def messages(self, mobile: Mobile | None = None) -> list[InboxMessage]:
        """Read the messages of one mobile, or of all, newest first.

        Raises:
            DependencyUnavailable: Redis is away.
        """
        with redis_errors():
            sealed = self._redis.lrange(_LIST, 0, -1)
        read = (json.loads(self._keys.open(str(each), context=_CONTEXT)) for each in sealed)
        messages = [InboxMessage(m["mobile"], m["text"], datetime.fromisoformat(m["sent_at"])) for m in read]
        return [message for message in messages if mobile in (None, message.mobile)]


class InboxProvider:
    """Hands texts to the inbox."""

    name = "inbox"

    def __init__(self, inbox: Inbox, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._inbox = inbox
        self._clock = clock

    def send(self, sms: OutgoingSms) -> ProviderAnswer:
        """Keep the text, as `Provider.send`."""
        try:
            self._inbox.keep(sms.job_id, InboxMessage(sms.mobile, sms.text, self._clock()))
        except RedisError as error:
            return ProviderAnswer(Outcome.UNCERTAIN, type(error).__name__)
        return ProviderAnswer(Outcome.ACCEPTED, message_id=sms.job_id)

    def carries(self, purpose: Purpose | Notice) -> bool:  # noqa: ARG002 - Provider's
        """Say yes: the whole text is sent."""
        return True

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:  # noqa: ARG002 - Provider's
        """Say yes: the inbox keeps one message per job."""
        return True

    def close(self) -> None:
        """Do nothing: the Redis client belongs to others."""
