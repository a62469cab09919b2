"""Limits of attempts on Redis: charged before the expensive work, given back when the attempt was right."""

import hashlib
import hmac
import math
from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis

from chassis.errors import TooManyRequests
from chassis.mobiles import Mobile
from chassis.redis_client import redis_errors
from user_service.addresses import limited_prefix

# All buckets are charged in one step or none is: two parallel attempts can never both take the last place.
# Answers the milliseconds to wait, 0 if the attempt may go on.
_CHARGE = """
local wait = 0
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[2 * i - 1]) then
    wait = math.max(wait, redis.call('PTTL', key), 1)
  end
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
  if redis.call('INCR', key) == 1 then redis.call('PEXPIRE', key, ARGV[2 * i]) end
end
return 0
"""
_REFUND = """
for _, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') > 0 then redis.call('DECR', key) end
end
"""


@dataclass(frozen=True)
class Bucket:
    """At most ``most`` attempts within ``seconds`` from the first; ``key`` stands in Redis."""

    key: str
    most: int
    seconds: int


class AttemptLimits:
    """Names and charges the buckets. Fails closed: without Redis nobody may try."""

    def __init__(self, redis: Redis, *, key: str, per_account: int, per_ip: int, code_checks_per_ip: int) -> None:
        self._charge = redis.register_script(_CHARGE)
        self._refund = redis.register_script(_REFUND)
        # A key of its own, so that neither use of the secret tells anything about the other.
        self._key = hmac.digest(key.encode(), b"keys of attempt limits", "sha256")
        self._per_account = per_account
        self._per_ip = per_ip
        self._code_checks_per_ip = code_checks_per_ip

    def for_password(self, mobile: Mobile, ip: str) -> list[Bucket]:
        """Name the buckets of logging in by password: one of the account (known or not), one of the address."""
        account = hmac.new(self._key, mobile.encode(), hashlib.sha256).hexdigest()
        return [
            Bucket(f"user:login:account:{account}", self._per_account, 300),
            Bucket(f"user:login:ip:{limited_prefix(ip)}", self._per_ip, 60),
        ]

    def for_code(self, ip: str) -> list[Bucket]:
        """Name the bucket of presenting an SMS code; guesses per mobile are counted by sms-service."""
        return [Bucket(f"user:code:ip:{limited_prefix(ip)}", self._code_checks_per_ip, 60)]

    def charge(self, buckets: Sequence[Bucket]) -> None:
        """Charge one attempt to every bucket, or to none.

        Raises:
            TooManyRequests: one of them is full; says when it opens again.
            DependencyUnavailable: Redis is away.
        """
        arguments = [number for bucket in buckets for number in (bucket.most, bucket.seconds * 1000)]
        with redis_errors():
            wait = int(self._charge(keys=[bucket.key for bucket in buckets], args=arguments))
        if wait:
            raise TooManyRequests(retry_after_seconds=math.ceil(wait / 1000))

    def refund(self, buckets: Sequence[Bucket]) -> None:
        """Give one attempt back to every bucket; raises DependencyUnavailable as `charge`."""
        with redis_errors():
            self._refund(keys=[bucket.key for bucket in buckets])
