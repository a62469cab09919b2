"""Replays SMS pumping against the real limits: ``make pumping-replay`` prints the table of sms-service's README.

SMS pumping: somebody with solved captchas has codes texted to numbers that earn by each text, and nobody enters them.
Beside that, people sign up from addresses and numbers of their own. Every request goes through `SmsCodes` and its real
scripts on a real Redis. Only the clock is not real: the scripts read it from a key, so that minutes pass in seconds.
Captchas, queue, gateway and providers take no part. The seed makes every run the same.
"""

import argparse
import heapq
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any  # What redis-py passes on.

from redis import Redis
from redis.commands.core import Script

from chassis.logs import configure_logs
from chassis.mobiles import Mobile
from local.redis_server import RedisServer
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.limit_settings import LimitSettings
from sms_service.codes.purposes import Purpose
from sms_service.codes.reservation import BudgetSpent, LimitReached, Reservation
from sms_service.codes.sms_codes import SmsCodes

CODE, CODE_KEY = "042619", "the code key of the replay, 32 bytes"
CLOCK, TIME = "replay:clock", "redis.call('TIME')"
EXPIRING_EVERY_SECONDS = 5.0
SHORT_LIVED = ("sms:cool:*", "sms:alarm:*", "sms:asked:*")  # What expires within a replay.
SECONDS = 170.0
PEOPLE_PER_SECOND = 1.7
ENTERING_SECONDS = (5.0, 40.0)  # From the request until the code is entered.
WALKING_AWAY = 0.1  # The share of people who never enter their code.
COMING_BACK = 0.6  # The share of refused people who try once more, if the wait is short.
SHORT_WAIT_SECONDS = 60


class ReplayRedis(Redis):
    """A Redis whose scripts read the time from a key that `set_time` writes."""

    now = 0.0

    def register_script(self, script: Any) -> Script:
        """Register a script of ours with the other clock."""
        other_clock = f"redis.call('HMGET', '{CLOCK}', 'seconds', 'microseconds')"
        return super().register_script(script.replace(TIME, other_clock))

    def set_time(self, now: float) -> None:
        """Let it be ``now`` (Unix seconds), and let short-lived keys expire as much sooner as time was skipped."""
        if now - self.now >= EXPIRING_EVERY_SECONDS:
            self._expire_sooner(int((now - self.now) * 1000) if self.now else 0)
            self.now = now
        self.hset(CLOCK, mapping={"seconds": int(now), "microseconds": int(now % 1 * 1e6)})

    def _expire_sooner(self, ms: int) -> None:
        keys = [key for pattern in SHORT_LIVED for key in self.keys(pattern)]
        with self.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.pttl(key)
            left = pipeline.execute()
            for key, left_ms in zip(keys, left, strict=True):
                pipeline.pexpire(key, max(left_ms - ms, 1))
            pipeline.execute()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Who asks for codes. ``addresses`` and ``blocks`` are the attacker's, each address in a network of its own."""

    name: str
    addresses: int = 200
    blocks: int = 40
    attacks_per_second: float = 10
    entering: float = 0  # The share of the attacker's codes that are entered, in numbers of the attacker's own.
    people_behind_one_address: int = 0
    quiet_seconds: float = 0  # How long people sign up before the attack begins.


SCENARIOS = (
    Scenario(name="200 addresses, 40 blocks"),
    Scenario(name="2,000 addresses, 40 blocks", addresses=2000),
    Scenario(name="200 addresses, 400 blocks", blocks=400),
    Scenario(name="nobody: 300 people behind a carrier's address", attacks_per_second=0, people_behind_one_address=300),
    Scenario(name="nobody: people alone", attacks_per_second=0),
    Scenario(name="the first, beside a carrier that nobody knows", people_behind_one_address=300),
    Scenario(name="the first, beside a carrier of 3 quiet minutes", people_behind_one_address=300, quiet_seconds=180),
    Scenario(name="the first, after 3 quiet minutes", quiet_seconds=180),
    Scenario(name="the third, after 3 quiet minutes", blocks=400, quiet_seconds=180),
    Scenario(name="the first, every tenth code entered", entering=0.1),
    Scenario(name="the first, one request a second", attacks_per_second=1),
    Scenario(name="2,000 addresses, 400 blocks", addresses=2000, blocks=400),
)


@dataclass
class Result:
    """What became of the requests. People who meant to walk away are no ``people``."""

    attacks: int = 0
    texts: int = 0
    people: int = 0
    at_once: int = 0
    signed_up: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    refused_people: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """The share of the people who signed up."""
        return self.signed_up / self.people


class Replay:
    """One scenario on an empty Redis."""

    def __init__(self, redis: ReplayRedis, limits: LimitSettings, scenario: Scenario, seed: int) -> None:
        redis.flushdb()
        self._redis, self._scenario = redis, scenario
        self._codes = SmsCodes(redis, CodeKeys(CODE_KEY), limits, draw=lambda: CODE)
        self._random = random.Random(f"{seed} {scenario.name}")
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        # A minute and its budget begin with the replay, which is the hardest moment.
        self._begin, self._now = float(time.time() // 60 * 60 + 60), 0.0
        self._result = Result()

    def run(self) -> Result:
        """Let everybody ask, and wait until the last code is entered."""
        scenario, quiet = self._scenario, self._scenario.quiet_seconds
        addresses = [self._draw_address() for _ in range(scenario.addresses)]
        blocks = [self._draw_number()[:-4] for _ in range(scenario.blocks)]
        for at in self._times(scenario.attacks_per_second, quiet, quiet + SECONDS):
            self._at(at, partial(self._attack, addresses, blocks))
        shared = scenario.people_behind_one_address
        rate, carrier = shared / SECONDS if shared else PEOPLE_PER_SECOND, self._draw_address()
        for at in self._times(rate, 0, quiet + SECONDS):
            address = carrier if shared else self._draw_address()
            self._at(at, partial(self._visit, address, self._draw_number(), counts=at >= quiet))
        while self._events:
            self._now, _, act = heapq.heappop(self._events)
            self._redis.set_time(self._begin + self._now)
            act()
        return self._result

    def _times(self, per_second: float, begin: float, end: float) -> Iterator[float]:
        count = round(per_second * (end - begin))
        return (begin + (i + self._random.random()) / per_second for i in range(count))

    def _at(self, at: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (at, len(self._events) + self._random.getrandbits(40), act))

    def _draw_address(self) -> str:
        return ".".join(str(self._random.randint(1, 223)) for _ in range(4))

    def _draw_number(self) -> str:
        """Draw one of the 400 million numbers of 4 x 10 prefixes that mainland China has, about."""
        return f"+861{self._random.choice('3578')}{self._random.randrange(10**9):09}"

    def _attack(self, addresses: list[str], blocks: list[str]) -> None:
        number = f"{self._random.choice(blocks)}{self._random.randrange(10**4):04}"
        address, self._result.attacks = self._random.choice(addresses), self._result.attacks + 1
        try:
            reservation = self._ask(address, number)
        except (LimitReached, BudgetSpent) as refused:
            self._result.refusals[refused.limit] += 1
            return
        self._result.texts += 1
        if self._random.random() < self._scenario.entering:
            self._at(self._now + 2, partial(self._enter, number, reservation))

    def _visit(self, address: str, number: str, *, counts: bool) -> None:
        walks_away = self._random.random() < WALKING_AWAY
        if counts and not walks_away:
            self._result.people += 1
        self._sign_up(address, number, counts=counts, walks_away=walks_away, is_first=True)

    def _sign_up(self, address: str, number: str, *, counts: bool, walks_away: bool, is_first: bool) -> None:
        try:
            reservation = self._ask(address, number)
        except (LimitReached, BudgetSpent) as refused:
            self._result.refused_people[refused.limit] += counts
            wait = refused.retry_after_seconds or 0
            if is_first and wait <= SHORT_WAIT_SECONDS and self._random.random() < COMING_BACK:
                again = partial(self._sign_up, address, number, counts=counts, walks_away=walks_away, is_first=False)
                self._at(self._now + wait + self._random.uniform(1, 10), again)
            return
        if walks_away:
            return
        self._result.at_once += counts and is_first
        self._result.signed_up += counts
        self._at(self._now + self._random.uniform(*ENTERING_SECONDS), partial(self._enter, number, reservation))

    def _ask(self, address: str, number: str) -> Reservation:
        reservation = self._codes.reserve(Mobile(number), Purpose.REGISTER, subject="", ip=address)
        self._codes.commit(reservation)
        return reservation

    def _enter(self, number: str, reservation: Reservation) -> None:
        if not self._codes.check(Mobile(number), reservation.purpose, code=CODE, subject="").is_right:
            raise AssertionError("A right code was not taken.")


def replay(redis_url: str, limits: LimitSettings, scenario: Scenario, seed: int) -> Result:
    """Run one scenario on the Redis at the address, which loses all its data."""
    with ReplayRedis.from_url(redis_url, decode_responses=True) as redis:
        return Replay(redis, limits, scenario, seed).run()


def format_row(scenario: Scenario, result: Result) -> str:
    """Format a row of the README's table."""
    refusals = ", ".join(f"{name} {count}" for name, count in (result.refusals + result.refused_people).most_common())
    at_once = result.at_once / result.people
    return (
        f"| {scenario.name} | {result.attacks} | {result.texts} | {result.people} | {result.signed_up} "
        f"| {result.share:.0%} ({at_once:.0%}) | {refusals or '-'} |"
    )


def main(arguments: Iterable[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="a part of the names of the scenarios to run")
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    configure_logs("pumping-replay", "ERROR")
    print("| who asks for codes | attacks | texts | people | signed up | share (at once) | refusals |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="xj") as folder:
        server = RedisServer(Path(folder), Path(folder) / "redis.sock")
        server.start()
        for scenario in SCENARIOS:
            if options.only in scenario.name:
                print(format_row(scenario, replay(server.url, LimitSettings(), scenario, options.seed)), flush=True)
        server.stop()


if __name__ == "__main__":
    main()
