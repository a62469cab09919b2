"""Proof of work: for a person who can use neither picture nor sound, the device counts instead.

A challenge is its id and a target. The device counts n = 0, 1, 2, … until SHA-256 of ``{id}:{n}`` is the target, which
is sure to happen before 2^work_bits and takes half of that on average; n, in decimal, is the answer.

Nothing is stored until an answer comes, so that a flood of challenges costs no memory. The id carries everything,
signed: ``xjp``, then in hexadecimal 2 digits of work_bits, 8 of its last second (Unix time), 16 random ones, and 32
of HMAC-SHA-256, cut to 128 bits, over the digits before. The number is an HMAC of the id.

Known weakness: it stops no attacker. A graphics card does in a millisecond what takes a phone seconds, so the price is
nearly nothing, as that of a picture is for a program that reads it; the limits behind both are the real defence.
"""

import hmac
import math
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from redis import Redis

from chassis.errors import CaptchaExpired
from chassis.redis_client import redis_errors
from chassis.texts import plain

# Neither our other ids (xj and 38 hexadecimal digits) nor a classic client's id ever begins so.
PREFIX = "xjp"
_ID = re.compile(r"xjp([0-9a-f]{2})([0-9a-f]{8})[0-9a-f]{16}([0-9a-f]{32})")
_MAC_DIGITS = 32
# How far the clocks of two processes may lie apart without a challenge being attempted twice.
_CLOCK_SKEW_SECONDS = 60
_LONGEST_ANSWER = 16


@dataclass(frozen=True)
class Challenge:
    """What a device has to find: the number below ``numbers`` that leads to ``target``, 64 hexadecimal digits."""

    challenge_id: str
    target: str
    numbers: int


@dataclass(frozen=True, kw_only=True)
class ProofOfWork:
    """Issues challenges and judges attempts at them. Threads may share it.

    ``key`` is a secret that all processes share. ``clock`` answers seconds of Unix time.
    """

    redis: Redis
    key: bytes = field(repr=False)
    work_bits: int
    clock: Callable[[], float] = time.time

    def issue(self, *, ttl_seconds: int) -> Challenge:
        """Make a challenge that may be answered for so many seconds."""
        last_second = math.ceil(self.clock()) + ttl_seconds
        signed = f"{PREFIX}{self.work_bits:02x}{last_second:08x}{secrets.token_hex(8)}"
        challenge_id = signed + self._mac(signed)
        number = self._number(challenge_id, self.work_bits)
        target = sha256(f"{challenge_id}:{number}".encode()).hexdigest()
        return Challenge(challenge_id, target, 1 << self.work_bits)

    def attempt(self, challenge_id: str, text: str) -> bool:
        """Judge the one attempt at a challenge, and use the challenge up whether it is right or wrong.

        The number must be written as ``str`` writes it; digits of every script and spaces around it are accepted too.

        Raises:
            CaptchaExpired: not ours, expired or already attempted.
            DependencyUnavailable: Redis is away, so it is not known whether it was attempted.
        """
        parts = _ID.fullmatch(challenge_id)
        if parts is None or not hmac.compare_digest(parts[3], self._mac(challenge_id[:-_MAC_DIGITS])):
            raise CaptchaExpired
        seconds_left = int(parts[2], 16) - self.clock()
        if seconds_left <= 0 or not self._mark_attempted(challenge_id, math.ceil(seconds_left)):
            raise CaptchaExpired
        if len(text) > _LONGEST_ANSWER:
            return False
        number = self._number(challenge_id, int(parts[1], 16))
        return hmac.compare_digest(plain(text).strip(" ").encode(), str(number).encode())

    def _mark_attempted(self, challenge_id: str, seconds_left: int) -> bool:
        """Mark a challenge as attempted; only the first of many callers gets True."""
        kept_seconds = seconds_left + _CLOCK_SKEW_SECONDS
        with redis_errors():
            return bool(self.redis.set(f"captcha:spent:{challenge_id}", "1", nx=True, ex=kept_seconds))

    def _mac(self, signed: str) -> str:
        return hmac.digest(self.key, f"id {signed}".encode(), sha256).hex()[:_MAC_DIGITS]

    def _number(self, challenge_id: str, work_bits: int) -> int:
        return int.from_bytes(hmac.digest(self.key, f"number {challenge_id}".encode(), sha256)) % (1 << work_bits)
