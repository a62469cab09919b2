"""The provider for development and tests: texts are kept, encrypted, for the inbox page."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from redis import Redis, RedisError

from chassis.lua import load_script
from chassis.mobiles import Mobile
from chassis.redis_client import redis_errors
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.purposes import Notice, Purpose
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
    """The last texts, newest first: a bounded list that expires as a whole."""

    def __init__(self, redis: Redis, keys: CodeKeys, *, most_messages: int, ttl_seconds: int) -> None:
        self._redis = redis
        self._keys = keys
        self._most_messages = most_messages
        self._ttl_seconds = ttl_seconds
        self._add = load_script(redis, __file__, "inbox_add")

    def add_message(self, job_id: str, message: InboxMessage) -> None:
        """Add a message; a second one of the same job is dropped.

        Raises:
            RedisError: Redis is away.
        """
        fields = {"mobile": message.mobile, "text": message.text, "sent_at": message.sent_at.isoformat()}
        sealed = self._keys.seal(json.dumps(fields), context=_CONTEXT)
        self._add([_LIST, f"sms:inbox:job:{job_id}"], [sealed, self._most_messages, self._ttl_seconds])

    def messages(self, mobile: Mobile | None = None) -> list[InboxMessage]:
        """Return the messages of one mobile, or of all, newest first.

        Raises:
            DependencyUnavailable: Redis is away.
        """
        with redis_errors():
            sealed_messages = self._redis.lrange(_LIST, 0, -1)
        opened = (json.loads(self._keys.open(str(sealed), context=_CONTEXT)) for sealed in sealed_messages)
        messages = [InboxMessage(m["mobile"], m["text"], datetime.fromisoformat(m["sent_at"])) for m in opened]
        return [message for message in messages if mobile in (None, message.mobile)]


@dataclass(frozen=True)
class InboxProvider:
    """Hands texts to the inbox."""

    name = "inbox"

    inbox: Inbox
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def send_text(self, sms: OutgoingSms) -> ProviderAnswer:
        """Add the text to the inbox, as `Provider.send_text`."""
        try:
            self.inbox.add_message(sms.job_id, InboxMessage(sms.mobile, sms.text, self.clock()))
        except RedisError as error:
            return ProviderAnswer(Outcome.UNCERTAIN, type(error).__name__)
        return ProviderAnswer(Outcome.ACCEPTED, message_id=sms.job_id)

    def supports(self, purpose: Purpose | Notice) -> bool:  # noqa: ARG002 - Provider's
        """Say yes: the whole text is sent."""
        return True

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:  # noqa: ARG002 - Provider's
        """Say yes: the inbox keeps one message per job."""
        return True

    def close_connections(self) -> None:
        """Do nothing: other parts of the process use the Redis client too."""
