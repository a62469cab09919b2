"""The inbox: the last texts of a system without a vendor, bounded and sealed."""

from datetime import UTC, datetime

import pytest
from redis import Redis

from chassis.mobiles import Mobile
from sms_service.codes.crypto import CodeKeys
from sms_service.providers.inbox import Inbox, InboxMessage

MOBILE, OTHER = Mobile("+8613800138000"), Mobile("+8613900139000")
NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)


@pytest.fixture
def small_inbox(redis: Redis, keys: CodeKeys) -> Inbox:
    """An inbox for three messages and a minute."""
    return Inbox(redis, keys, most_messages=3, ttl_seconds=60)


def test_only_the_last_messages_are_kept_newest_first(small_inbox: Inbox) -> None:
    for number in range(5):
        small_inbox.add_message(f"job {number}", InboxMessage(MOBILE, f"text {number}", NOW))
    assert [message.text for message in small_inbox.messages()] == ["text 4", "text 3", "text 2"]


def test_a_second_message_of_a_job_is_dropped(small_inbox: Inbox) -> None:
    for text in ("the first", "the second"):
        small_inbox.add_message("one job", InboxMessage(MOBILE, text, NOW))
    assert [message.text for message in small_inbox.messages()] == ["the first"]


def test_the_messages_of_one_mobile_are_found(small_inbox: Inbox) -> None:
    small_inbox.add_message("a job", InboxMessage(MOBILE, "for one", NOW))
    small_inbox.add_message("another job", InboxMessage(OTHER, "for the other", NOW))
    assert small_inbox.messages(OTHER) == [InboxMessage(OTHER, "for the other", NOW)]


def test_messages_and_marks_expire_and_are_sealed(small_inbox: Inbox, redis: Redis) -> None:
    small_inbox.add_message("a job", InboxMessage(MOBILE, "a text", NOW))
    names = list(redis.scan_iter("sms:inbox*"))
    assert len(names) == 2
    assert all(0 < redis.ttl(name) <= 60 for name in names)
    assert not any("a text" in line for line in redis.lrange("sms:inbox", 0, -1))
