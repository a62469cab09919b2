"""What stays behind of the codes and the mobiles: in Redis, on the queue, and in the logs nothing that tells them."""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from chassis.mobiles import Mobile
from sms_service.codes.crypto import CodeKeys
from stage.system import CODE_KEY, SmsSystem, new_mobiles
from stage.vendor import Play, Reply, Vendor

pytestmark = pytest.mark.outside
Judge = Callable[..., object]
ALL_CODES = [f"{number:06d}" for number in range(10**6)]
# What one who has the database, but not the key, would try first.
GUESSABLE_KEYS = (b"", b"xinjing sms code digest")


def everything_in(redis: Redis) -> Iterator[str]:
    """Dump every key of every type, with its value."""
    readers = {
        "string": redis.get,
        "hash": redis.hgetall,
        "list": lambda key: redis.lrange(key, 0, -1),
        "zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
        "set": redis.smembers,
        "stream": redis.xrange,
        "none": lambda _: "gone meanwhile",
    }
    for key in redis.scan_iter():
        yield f"{key} {readers[redis.type(key)](key)!r}"


def logs_of(system: SmsSystem) -> Iterator[str]:
    """Read the logs of all processes, Redis itself included; six decimals of a duration are no code."""
    for path in [*system.folder.glob("*.log"), *system.folder.glob("redis/*.log")]:
        yield re.sub(r'"seconds": [0-9.e-]+', "", path.read_text())


def numbers_in(text: str) -> set[str]:
    """Find the numbers of six digits that stand for themselves: any may stand inside a hash or a sealed text."""
    return set(re.findall(r"(?<![0-9A-Za-z])[0-9]{6}(?![0-9A-Za-z])", text))


def test_T8_codes_and_mobiles_stand_nowhere(system: SmsSystem) -> None:
    system.keeps_breaker_closed = True  # Every retried mobile fails at first.
    mobiles = {kind: new_mobiles(10) for kind in ("texted", "retried", "failed", "waiting")}
    system.vendor.plays_of |= dict.fromkeys(mobiles["retried"], (Play(texts=False, reply=Reply.HTTP_500), Play()))
    system.vendor.plays_of |= dict.fromkeys(mobiles["failed"], (Play(texts=False, reply=Reply.BAD_NUMBER),))
    api = system.api(SMS_LOG_LEVEL="DEBUG")
    worker = system.worker(SMS_LOG_LEVEL="DEBUG")
    asked = system.ask_all([*mobiles["texted"], *mobiles["retried"], *mobiles["failed"]])
    found = list(everything_in(system.redis))
    system.settle(asked)
    found += everything_in(system.redis)
    texts = system.vendor.texts()
    for mobile in mobiles["texted"]:
        assert not system.consume(mobile, wrong(texts[mobile][0].code))
        assert system.consume(mobile, texts[mobile][0].code)
    worker.stop()
    system.pretend_worker()
    system.ask_all(mobiles["waiting"])
    found += everything_in(system.redis)
    if system.broker is not None:
        found += system.broker.peek()
        assert len(system.broker.peek()) == 10
    api.stop()  # Lines of requests are written in batches.
    found += logs_of(system)
    assert len(texts) == 20

    whole = "\n".join(found)
    codes = {text.code for group in texts.values() for text in group}
    assert codes & numbers_in(whole) == set()
    numbers = {mobile for group in mobiles.values() for mobile in group}
    assert [number for number in numbers if number in whole] == []
    assert "job_claimed" in whole, "the logs were not read"
    assert system.keys.mobile_hash(Mobile(f"+86{mobiles['texted'][0]}")) in whole, "Redis was not read"


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def test_T9_a_stored_digest_tells_its_code_to_the_owner_of_the_key_alone(
    make_system: Callable[..., SmsSystem], vendor: Vendor
) -> None:
    system = make_system(vendor, "stream")
    system.api()
    mobile = new_mobiles(1)[0]
    assert system.ask(mobile).status == 202
    [key] = system.redis.keys("sms:job:*")
    digest = bytes.fromhex(str(system.redis.hget(key, "code_digest")))
    job_id, mobile_hash = key.rpartition(":")[2], key.partition("{")[2].partition("}")[0]

    def bound(code: str) -> bytes:
        return "\0".join((mobile_hash, "login", job_id, code)).encode()

    for spell in (str.encode, bound):
        assert all(hashlib.sha256(spell(code)).digest() != digest for code in ALL_CODES)
    for guess in (*GUESSABLE_KEYS, job_id.encode()):
        assert all(hmac.digest(guess, bound(code), "sha256") != digest for code in ALL_CODES)

    owner, bonds = CodeKeys(CODE_KEY), {"mobile_hash": mobile_hash, "purpose": "login", "job_id": job_id}
    with_the_key = [code for code in ALL_CODES if owner.code_digest(code, **bonds) == digest.hex()]
    system.worker()
    system.settle([])
    assert with_the_key == [system.vendor.texts()[mobile][0].code]
