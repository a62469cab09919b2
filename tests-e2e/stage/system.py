"""The whole of sms-service as processes on this machine: Redis, API, workers, and the parts that we play around it."""

import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import urllib3
from redis import Redis

from chassis.identity import GATEWAY, INTERNAL_TOKEN_HEADER, Caller, InternalTokens
from chassis.mobiles import Mobile
from local.redis_server import RedisServer
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.keys import WORKERS_KEY, job_key
from sms_service.queue.redis_stream import DELAYED, STREAM
from sms_service.routing.breaker import provider_key
from stage.broker import Broker
from stage.processes import Service, start_api, start_worker
from stage.tally import Asked, Tally, tally
from stage.vendor import PassingCaptchas, Text, Vendor

CODE_KEY = "the code key of the faults, 32 bytes long"
TOKEN_KEY = "the token key of the faults, 32 bytes long"
AUDIENCE = "sms-service"
_RAISED = "100000"
_LIMITS = (
    *("SMS_SENDS_PER_IP_PER_HOUR", "SMS_SENDS_PER_IP_PER_DAY", "SMS_SENDS_PER_BLOCK_PER_HOUR"),
    *("SMS_SENDS_PER_BLOCK_PER_DAY", "SMS_SENDS_PER_MINUTE", "SMS_SENDS_PER_DAY"),
    *("SMS_PROVIDER_SENDS_PER_SECOND", "SMS_PROVIDER_PARALLEL_SENDS"),
)
_ANSWER_SECONDS = 30
_CLIENTS = 8
_FEW = 300  # Redis is asked for each job without a text.
_mobiles = iter(range(13_800_000_000, 13_900_000_000))


def new_mobiles(count: int) -> list[str]:
    """Draw mobiles that nobody had before."""
    return [str(next(_mobiles)) for _ in range(count)]


class SmsSystem:
    """Redis at once; API and workers when they are started. With a broker the queue is RabbitMQ, else Redis."""

    def __init__(
        self, folder: Path, vendor: Vendor, captchas: PassingCaptchas, broker: Broker | None = None, *others: Vendor
    ) -> None:
        self.folder = folder
        self.vendor = vendor
        self.vendors = (vendor, *others)
        self.broker = broker
        self.server = RedisServer(folder / "redis", folder / "redis.sock")
        self.server.start()
        self.redis: Redis = Redis.from_url(self.server.url, decode_responses=True)
        self.pretend_worker()  # A test can fill the queue before the first worker starts.
        self.keys = CodeKeys(CODE_KEY)
        self.keeps_breaker_closed = False
        self.workers: list[Service] = []
        self.apis: list[Service] = []
        self._http = urllib3.PoolManager(maxsize=_CLIENTS, retries=False, timeout=_ANSWER_SECONDS)
        self._tokens = InternalTokens(TOKEN_KEY)
        self.env = self._environment(captchas)

    def pretend_worker(self) -> None:
        """Let the API take requests while no worker runs; the next heartbeat of a worker removes this one."""
        self.redis.zadd(WORKERS_KEY, {"nobody": 0})

    def _environment(self, captchas: PassingCaptchas) -> dict[str, str]:
        env = {
            **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            "SMS_REDIS_URL": self.server.url,
            "SMS_INTERNAL_TOKEN_KEY": TOKEN_KEY,
            "SMS_CODE_KEY": CODE_KEY,
            "SMS_CAPTCHA_SERVICE_URL": captchas.url,
            "SMS_ROUTES": "*=" + ",".join(vendor.name for vendor in self.vendors),
            # All requests come from one address, for mobiles in a row, and at the pace of a machine.
            **dict.fromkeys(_LIMITS, _RAISED),
            "SMS_RECLAIM_AFTER_SECONDS": "10",
        }
        for vendor in self.vendors:
            env |= vendor.settings
        return env | ({"SMS_AMQP_URL": self.broker.url} if self.broker else {})

    def api(self, *, processes: int = 1, app: str | None = None, ready: bool = True, **settings: str) -> Service:
        """Start the API; ``app`` names a factory of `stage.wired_api`, ``settings`` are further variables."""
        service = start_api({**self.env, **settings}, self.folder, processes=processes, app=app)
        self.apis.append(service)
        return service.wait_until_ready() if ready else service

    def worker(self, *, module: str = "sms_service.worker", ready: bool = True, **settings: str) -> Service:
        """Start one more worker."""
        service = start_worker({**self.env, **settings}, self.folder, module=module)
        self.workers.append(service)
        return service.wait_until_ready() if ready else service

    def close(self) -> None:
        """End everything."""
        for service in self.workers + self.apis:
            service.kill()
        self.redis.close()
        self._http.clear()
        self.server.stop()

    def ask(self, mobile: str, *, api: Service | None = None, clock: Callable[[], float] = time.time) -> Asked:
        """Ask for a code as the gateway does."""
        body = {"mobile": mobile, "purpose": "login", "captcha_id": "a-captcha", "captcha_text": "t"}
        begun_at = time.monotonic()
        answer = self._post("/api/v1/sms-codes", body, GATEWAY, api=api, tokens=InternalTokens(TOKEN_KEY, clock=clock))
        status = answer.status if answer else None
        return Asked(mobile, status, time.monotonic() - begun_at, answer.headers.get("Retry-After") if answer else None)

    def ask_all(self, mobiles: Iterable[str], *, clients: int = _CLIENTS) -> list[Asked]:
        """Ask for codes, several at a time."""
        with ThreadPoolExecutor(clients) as pool:
            return list(pool.map(self.ask, mobiles))

    def consume(self, mobile: str, code: str) -> bool:
        """Try a code as user-service does, and say whether it was valid."""
        body = {"mobile": mobile, "purpose": "login", "code": code}
        answer = self._post("/internal/sms-codes/consume", body, "user-service")
        return answer is not None and answer.status == 200 and answer.json() == {"verified": True, "attempts_left": 0}

    def _post(
        self, path: str, body: dict[str, str], caller: str, *, api: Service | None = None,
        tokens: InternalTokens | None = None,
    ) -> Any:  # fmt: skip
        headers = {INTERNAL_TOKEN_HEADER: (tokens or self._tokens).write_token(Caller(caller), audience=AUDIENCE)}
        port = (api or self.apis[-1]).port
        try:
            return self._http.request("POST", f"http://127.0.0.1:{port}{path}", json=body, headers=headers)
        except urllib3.exceptions.HTTPError:
            return None  # The API died over it.

    def texts(self) -> dict[str, list[Text]]:
        """The texts of all vendors so far, by mobile."""
        found: dict[str, list[Text]] = {}
        for vendor in self.vendors:
            for mobile, texts in vendor.texts().items():
                found.setdefault(mobile, []).extend(texts)
        return found

    def close_breakers(self) -> None:
        """Forget every failure of the vendors."""
        self.redis.delete(*(provider_key(vendor.name) for vendor in self.vendors))

    def jobs_of(self, mobile: str) -> list[dict[str, str]]:
        """The jobs of a mobile in Redis."""
        mobile_hash = self.keys.mobile_hash(Mobile(f"+86{mobile}"))
        return [self.redis.hgetall(key) for key in self.redis.keys(job_key(mobile_hash, "*"))]

    def given_up(self, mobiles: Iterable[str]) -> set[str]:
        """Those of the mobiles that a job says of why they got no text, or that it does not know."""
        return {m for m in mobiles if {"uncertain", "failed"} & {job["state"] for job in self.jobs_of(m)}}

    def queued(self) -> int:
        """Count the jobs that wait or are in hand."""
        if self.broker is None:
            with self.redis.pipeline(transaction=True) as both:  # A job may move from one to the other.
                return sum(both.xlen(STREAM).zcard(DELAYED).execute())
        busy = sum(w.metric("sms_worker_busy_threads") for w in self.workers if w.process.poll() is None)
        return self.broker.waiting() + int(busy)

    def settle(self, asked: Iterable[Asked], *, seconds: float = 40) -> None:
        """Wait until every accepted mobile is texted or given up, and no job is left; then or too late, return."""
        accepted = {each.mobile for each in asked if each.status == 202}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.keeps_breaker_closed:
                self.close_breakers()
            missing = accepted - set(self.texts())
            if not self.queued() and len(missing) <= _FEW and missing == self.given_up(missing):
                return
            time.sleep(0.2)

    def tally(self, asked: list[Asked]) -> Tally:
        """Settle, and count what became of the requests; this uses up the codes."""
        self.settle(asked)
        texts = self.texts()
        given_up = self.given_up(each.mobile for each in asked if each.mobile not in texts)
        return tally(asked, texts, given_up=given_up, is_valid=self.consume)
