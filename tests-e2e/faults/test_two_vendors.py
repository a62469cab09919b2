"""Two vendors, of which either may be asked first, and what each of them answers, attempt after attempt.

Once an answer left open whether a person was texted, no other vendor is asked, and the job ends as sent or uncertain.
A plain refusal leads to the other vendor.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from stage.system import SmsSystem, new_mobiles
from stage.tally import Asked
from stage.vendor import AliyunVendor, Answers, Play, Reply, Vendor, WebhookVendor

pytestmark = pytest.mark.outside
Judge = Callable[..., object]
PER_HISTORY = 3
# No retry follows after 7 s, so that a job has three attempts in place of four, and a run does not wait for the last.
SHORT = {"SMS_USEFUL_LIFETIME_SECONDS": "285"}


@dataclass(frozen=True)
class History:
    """What the vendor that is asked first plays, and the other one; for each person, who texts and how the job ends."""

    first: tuple[Play, ...]
    second: tuple[Play, ...] = (Play(),)
    by_first: int = 0
    by_second: int = 0
    state: str = "sent"
    asks_second: bool = False


def no(reply: Reply) -> Play:
    """Text nobody."""
    return Play(texts=False, reply=reply)


LOST, NONSENSE = Play(reply=Reply.RESET), Play(reply=Reply.MALFORMED)
BOUND = {
    "texts, unreadable, then 429": History((NONSENSE, no(Reply.BUSY)), by_first=1, state="uncertain"),
    "texts, unreadable, then a bad key": History((NONSENSE, no(Reply.BAD_KEY)), by_first=1, state="uncertain"),
    "texts, unreadable, then a bad number": History((NONSENSE, no(Reply.BAD_NUMBER)), by_first=1, state="uncertain"),
    "texts, resets, then an unlisted no": History((LOST, no(Reply.UNLISTED)), by_first=1, state="uncertain"),
    "texts, resets, then knows it": History((LOST, Play()), by_first=1),
    "resets, then texts": History((no(Reply.RESET), Play()), by_first=1),
    "500, then 429": History((no(Reply.HTTP_500), no(Reply.BUSY)), state="uncertain"),
    "500 every time": History((no(Reply.HTTP_500),), state="uncertain"),
    "a bad number": History((no(Reply.BAD_NUMBER),), state="failed"),
}
FAILOVERS = {
    "a bad key": History((no(Reply.BAD_KEY),), by_second=1, asks_second=True),
    "429": History((no(Reply.BUSY),), by_second=1, asks_second=True),
    "an unlisted no": History((no(Reply.UNLISTED),), by_second=1, asks_second=True),
    "429, the second texts and resets, then a bad key": History(
        (no(Reply.BUSY),), (LOST, no(Reply.BAD_KEY)), by_second=1, state="uncertain", asks_second=True
    ),
    "a bad key, the second says a bad number": History(
        (no(Reply.BAD_KEY),), (no(Reply.BAD_NUMBER),), state="failed", asks_second=True
    ),
    "a bad key at both": History((no(Reply.BAD_KEY),), (no(Reply.BAD_KEY),), state="failed", asks_second=True),
}


@pytest.fixture
def two_vendors() -> Iterator[tuple[Vendor, Vendor]]:
    """Two vendors that recognise a repeated job."""
    answers = Answers()
    with Vendor(answers=answers) as one, WebhookVendor(answers=answers) as other:
        yield one, other


@contextmanager
def closed_breakers(system: SmsSystem) -> Iterator[None]:
    """Keep the breakers closed: each history is about its own answers, not about those of others."""
    done = threading.Event()

    def close() -> None:
        while not done.wait(0.05):
            system.close_breakers()

    with ExitStack() as ends:
        thread = threading.Thread(target=close)
        thread.start()
        ends.callback(thread.join)
        ends.callback(done.set)
        yield


def ask_for_each(system: SmsSystem, histories: dict[str, History]) -> dict[str, list[Asked]]:
    """Ask for codes, a few per history, all at once."""
    mobiles = {name: new_mobiles(PER_HISTORY) for name in histories}
    for name, history in histories.items():
        for vendor in system.vendors:
            vendor.plays_of |= dict.fromkeys(mobiles[name], history.first)
            vendor.second_plays_of |= dict.fromkeys(mobiles[name], history.second)
    asked = {each.mobile: each for each in system.ask_all(mobile for group in mobiles.values() for mobile in group)}
    return {name: [asked[mobile] for mobile in group] for name, group in mobiles.items()}


def check_history(system: SmsSystem, judge: Judge, name: str, group: list[Asked], history: History) -> None:
    wait_until(lambda: states_of(system, group) <= {"sent", "uncertain", "failed"})
    row = judge(system, group, name)
    per_person = (row.by_first, row.by_second, row.valid)
    texts = history.by_first + history.by_second
    assert per_person == tuple(PER_HISTORY * each for each in (history.by_first, history.by_second, texts)), name
    assert row.accepted == row.texted + row.given_up == PER_HISTORY, name
    states = Counter(job["state"] for each in group for job in system.jobs_of(each.mobile))
    assert states == {history.state: PER_HISTORY}, name
    for each in group:
        assert sum(vendor.requests[each.mobile] > 0 for vendor in system.vendors) == 1 + history.asks_second, name


def run_histories(system: SmsSystem, judge: Judge, histories: dict[str, History], **settings: str) -> None:
    with closed_breakers(system):
        system.api()
        system.worker(SMS_WORKER_THREADS="64", **settings)
        for name, group in ask_for_each(system, histories).items():
            check_history(system, judge, name, group, histories[name])


def test_two_vendors(
    make_system: Callable[..., SmsSystem], two_vendors: tuple[Vendor, Vendor], queue_name: str, judge: Judge
) -> None:
    one, other = two_vendors
    # RabbitMQ is one for all tests, so here they take turns; elsewhere all four attempts are waited for.
    settings = SHORT if queue_name == "rabbitmq" else {}
    run_histories(make_system(one, queue_name, other), judge, BOUND | FAILOVERS, **settings)


def test_one_vendor(make_system: Callable[..., SmsSystem], vendor: Vendor, judge: Judge) -> None:
    run_histories(make_system(vendor, "stream"), judge, BOUND, **SHORT)


def test_vendors_refuse_connections_after_one_texted(
    make_system: Callable[..., SmsSystem], two_vendors: tuple[Vendor, Vendor], judge: Judge
) -> None:
    one, other = two_vendors
    system = make_system(one, "stream", other)
    history = History((LOST, NONSENSE), by_first=1, state="uncertain")
    with closed_breakers(system):
        system.api()
        worker = system.worker(**SHORT)
        asked = ask_for_each(system, {"texts, resets": history})["texts, resets"]
        wait_until(lambda: states_of(system, asked) == {"retry"})
        for vendor in system.vendors:
            vendor.shut()
        check_history(system, judge, "texts, resets", asked, history)
    refused = 'sms_provider_total{{code="NewConnectionError",outcome="not_sent",provider="{}"}}'
    assert sum(worker.metric(refused.format(vendor.name)) for vendor in system.vendors) >= PER_HISTORY


def test_an_unknown_access_key_of_aliyun_leads_to_the_second_vendor(
    make_system: Callable[..., SmsSystem], judge: Judge, vendor: Vendor
) -> None:
    with AliyunVendor(no(Reply.BAD_KEY)) as aliyun:
        system = make_system(vendor, "stream", aliyun)
        templates = system.folder / "templates.toml"
        templates.write_text(AliyunVendor.TEMPLATES)
        # aliyun is asked first by all but one of 10,000.
        settings = {"SMS_ROUTES": "*=aliyun:9999,yuntongxun:1", "SMS_TEMPLATES_FILE": str(templates)}
        system.api(**settings)
        worker = system.worker(**settings)
        row = judge(system, system.ask_all(new_mobiles(5)), "404 InvalidAccessKeyId.NotFound")
        assert (row.texted, row.valid, aliyun.texts()) == (5, 5, {})
        assert sum(aliyun.requests.values()) > 0
        assert worker.metric('sms_breaker_state{provider="aliyun"}') == 1
        assert worker.metric('sms_breaker_state{provider="yuntongxun"}') == 0


def states_of(system: SmsSystem, asked: list[Asked]) -> set[str]:
    return {job["state"] for each in asked for job in system.jobs_of(each.mobile)}


def wait_until(is_true: Callable[[], bool], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.05)
