"""Limits of attempts on Redis: charged before the expensive work, given back when the attempt was right."""

import hmac
import math
from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis

from chassis.addresses import client_network
from chassis.errors import CaptchaRequired, TooManyRequests
from chassis.mobiles import Mobile
from chassis.redis_client import redis_errors

# All buckets are charged in one step or none is: two parallel attempts can never both take the last place.
# Numbers: 1 if a captcha is asked for and none was sent, then three of each bucket (see `charge_numbers`).
# Answers the milliseconds to wait, 0 if the attempt may go on, -1 if it needs a captcha.
CHARGE = """
local function charge(keys, numbers)
  local wait, needs_captcha = 0, false
  for i, key in ipairs(keys) do
    local used = tonumber(redis.call('GET', key) or '0')
    if used >= tonumber(numbers[3 * i - 1]) then wait = math.max(wait, redis.call('PTTL', key), 1) end
    if used >= tonumber(numbers[3 * i + 1]) then needs_captcha = true end
  end
  if wait > 0 then return wait end
  if needs_captcha and numbers[1] == '1' then return -1 end
  for i, key in ipairs(keys) do
    if redis.call('INCR', key) == 1 then redis.call('PEXPIRE', key, numbers[3 * i]) end
  end
  return 0
end
"""
REFUND = """
local function refund(keys)
  for _, key in ipairs(keys) do
    if tonumber(redis.call('GET', key) or '0') > 0 then redis.call('DECR', key) end
  end
end
"""


@dataclass(frozen=True)
class Bucket:
    """At most ``most`` attempts within ``seconds`` from the first; ``key`` stands in Redis.

    After ``captcha_after`` of them the next needs a captcha, where one is asked for at all.
    """

    key: str
    most: int
    seconds: int
    captcha_after: int | None = None


@dataclass(frozen=True)
class Bounds:
    """How much each bucket holds; as `Settings` names them."""

    per_account: int
    per_ip: int
    code_checks_per_ip: int
    captcha_after_per_account: int
    captcha_after_per_ip: int


class AttemptLimits:
    """Names and charges the buckets. Fails closed: without Redis nobody may try."""

    def __init__(self, redis: Redis, *, key: str, bounds: Bounds) -> None:
        self._charge = redis.register_script(f"{CHARGE} return charge(KEYS, ARGV)")
        self._refund = redis.register_script(f"{REFUND} refund(KEYS)")
        # A key of its own, so that neither use of the secret tells anything about the other.
        self._key = hmac.digest(key.encode(), b"keys of attempt limits", "sha256")
        self._bounds = bounds

    def account_key(self, mobile: Mobile) -> str:
        """Name a mobile in Redis keys, with an account or without; nobody reads the mobile from it."""
        return hmac.digest(self._key, mobile.encode(), "sha256").hex()

    def for_password(self, mobile: Mobile, ip: str) -> list[Bucket]:
        """Name the buckets of logging in by password: one of the account (known or not), one of the address."""
        account, bounds = self.account_key(mobile), self._bounds
        return [
            Bucket(f"user:login:account:{account}", bounds.per_account, 300, bounds.captcha_after_per_account),
            Bucket(f"user:login:ip:{client_network(ip)}", bounds.per_ip, 60, bounds.captcha_after_per_ip),
        ]

    def for_code(self, ip: str) -> list[Bucket]:
        """Name the bucket of presenting an SMS code; guesses per mobile are counted by sms-service."""
        return [Bucket(f"user:code:ip:{client_network(ip)}", self._bounds.code_checks_per_ip, 60)]

    def charge(self, buckets: Sequence[Bucket], *, asks_captcha: bool = False) -> None:
        """Charge one attempt to every bucket, or to none.

        ``asks_captcha`` is for attempts that could have brought a captcha and did not.

        Raises:
            TooManyRequests: one of them is full; says when it opens again.
            CaptchaRequired: a captcha is asked for, and one of them is due one.
            DependencyUnavailable: Redis is away.
        """
        with redis_errors():
            wait = int(self._charge([bucket.key for bucket in buckets], charge_numbers(buckets, asks_captcha)))
        refuse(wait)

    def refund(self, buckets: Sequence[Bucket]) -> None:
        """Give one attempt back to every bucket; raises DependencyUnavailable as `charge`."""
        with redis_errors():
            self._refund([bucket.key for bucket in buckets])


def charge_numbers(buckets: Sequence[Bucket], asks_captcha: bool) -> list[int]:
    """List the numbers for the script `CHARGE`."""
    numbers = [(bucket.most, bucket.seconds * 1000, bucket.captcha_after or bucket.most) for bucket in buckets]
    return [int(asks_captcha), *(number for each in numbers for number in each)]


def refuse(wait: int) -> None:
    """Raise what the answer of the script `CHARGE` means; nothing if it is 0."""
    if wait < 0:
        raise CaptchaRequired
    if wait:
        raise TooManyRequests(retry_after_seconds=math.ceil(wait / 1000))
