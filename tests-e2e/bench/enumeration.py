"""Does the time of an answer tell whether a mobile has an account? (T22: a part of ``make bench``)

One user-service on an empty folder, full argon2, real Redis. Each comparison asks in pairs, in random order, about a
mobile with an account and one without; each request comes from an address of its own and no mobile is tried more than
twice, so no limit, captcha or tarpit takes part. Printed for each: both medians, their difference, and the AUC (the
chance that a random answer about an account took longer than a random one about none; 0.5 is a coin).
The bounds: a difference under 2 ms or 2 %, and an AUC within 0.05 of the coin. Exit status 1 if one is broken.
"""

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from statistics import median

from chassis.database import Database, migrate
from chassis.identity import GATEWAY, INTERNAL_TOKEN_HEADER, Caller, InternalTokens
from local.redis_server import RedisServer
from local.settings import free_ports
from user_service.app import MIGRATIONS
from user_service.models import FOR_EVER, User
from user_service.passwords.hashing import PROFILES, PasswordKeys, Passwords

ROOT = Path(__file__).parents[2]
KEY = "a key of this benchmark, never used elsewhere"
PASSWORD_KEYS = "bench:another-key-of-this-benchmark-never-used-elsewhere"
PASSWORD = "correct horse battery"
TRIES_PER_MOBILE = 2
# How the account is, what is sent, by name.
COMPARISONS = {
    "wrong password, known": ("known", {"password": "something else"}),
    "right password, banned": ("banned", {"password": PASSWORD}),
    "wrong code, known": ("known", {"sms_code": "000000"}),
}
PREFIXES = {"known": "+86138", "banned": "+86139", "unknown": "+86137"}


class SmsService(BaseHTTPRequestHandler):
    """Knows of every code that it is wrong."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"verified": false, "attempts_left": 4}'
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)  # At once, or Nagle's algorithm adds 40 ms.

    def log_message(self, *_: object) -> None:
        return


def make_accounts(url: str, pairs: int) -> None:
    """Insert so many accounts that no mobile is tried too often."""
    migrate(url, scripts=MIGRATIONS)
    keys = PasswordKeys.parse(PASSWORD_KEYS)
    hashed = Passwords(PROFILES["owasp"], keys, parallel=1, wait_seconds=1).hash(PASSWORD)
    database = Database(url)
    with database.write() as db:
        for kind, until in (("known", None), ("banned", FOR_EVER)):
            for number in range(pairs // TRIES_PER_MOBILE):
                user = User(mobile=f"{PREFIXES[kind]}{number:08}", nick_name=f"{kind}{number}", banned_until=until)
                user.password = hashed
                db.add(user)
    database.close()


@contextmanager
def running(folder: Path, pairs: int) -> Iterator[int]:
    """Start user-service and what it needs; the value is its port."""
    sms = ThreadingHTTPServer(("127.0.0.1", 0), SmsService)
    threading.Thread(target=sms.serve_forever, daemon=True).start()
    redis = RedisServer(folder, folder / "redis.sock")
    redis.start()
    url = f"sqlite:///{folder / 'user.db'}"
    make_accounts(url, pairs)
    port, metrics_port = free_ports(2)
    env = {
        **os.environ,
        "SERVICE": "user-service",
        "PORT": str(port),
        "METRICS_PORT": str(metrics_port),
        "USER_DATABASE_URL": url,
        "USER_REDIS_URL": redis.url,
        "USER_SMS_SERVICE_URL": f"http://127.0.0.1:{sms.server_port}",
        "USER_CAPTCHA_SERVICE_URL": "http://127.0.0.1:1",
        "USER_INTERNAL_TOKEN_KEY": KEY,
        "USER_REFRESH_TOKEN_KEY": KEY[::-1],
        "USER_PASSWORD_KEYS": PASSWORD_KEYS,
        "USER_MEDIA_DIR": str(folder / "media"),
        "USER_SIGNING_KEY_FILE": str(folder / "signing.pem"),
        "USER_LOG_LEVEL": "ERROR",
        "USER_AUDIT_FAILURES_PER_HOUR": "1000000",  # Every failure writes its line, as in an ordinary hour.
    }
    server = subprocess.Popen([sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py"], env=env, cwd=ROOT)
    try:
        yield port
    finally:
        server.terminate()
        server.wait(30)
        redis.stop()
        sms.shutdown()


def asker(port: int) -> Callable[[str, dict[str, str]], float]:
    """Make a function that logs in and returns the seconds until the refusal."""
    tokens, addresses = InternalTokens(KEY), count()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(mobile: str, proof: dict[str, str]) -> float:
        number = next(addresses)
        headers = {
            "Content-Type": "application/json",
            INTERNAL_TOKEN_HEADER: tokens.write(Caller(GATEWAY), audience="user-service"),
            "X-Forwarded-For": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
        }
        body = json.dumps({"mobile": mobile, **proof})
        begun = time.perf_counter()
        connection.request("POST", "/api/v1/sessions", body, headers)
        answer = connection.getresponse()
        answer.read()
        took = time.perf_counter() - begun
        if answer.status != 401:
            raise SystemExit(f"{mobile}: {answer.status}, not a refusal")
        return took

    return ask


def auc(slower: list[float], faster: list[float]) -> float:
    """Return the chance that a value of the first list is above one of the second (Mann and Whitney's U, scaled)."""
    ordered = sorted(faster)
    above = sum((bisect_left(ordered, value) + bisect_right(ordered, value)) / 2 for value in slower)
    return above / (len(slower) * len(faster))


def wait_until_ready(port: int) -> None:
    """Wait until user-service answers."""
    end = time.monotonic() + 60
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        if time.monotonic() > end:
            raise SystemExit("user-service does not become ready")
        time.sleep(0.2)


def compare(ask: Callable[[str, dict[str, str]], float], name: str, pairs: int, offset: int) -> bool:
    """Ask in pairs, print the statistics, and say whether they are within the bounds."""
    kind, proof = COMPARISONS[name]
    seconds: dict[str, list[float]] = {kind: [], "unknown": []}
    for pair in range(-50, pairs):  # The first fifty warm up.
        number = pair % (pairs // TRIES_PER_MOBILE)
        mobiles = {kind: f"{PREFIXES[kind]}{number:08}", "unknown": f"{PREFIXES['unknown']}{offset + number:08}"}
        for asked in random.sample([kind, "unknown"], 2):
            took = ask(mobiles[asked], proof)
            if pair >= 0:
                seconds[asked].append(took)
    medians = {each: median(values) * 1000 for each, values in seconds.items()}
    difference = medians[kind] - medians["unknown"]
    share, chance = difference / medians["unknown"], auc(seconds[kind], seconds["unknown"])
    is_fine = (abs(difference) < 2 or abs(share) < 0.02) and abs(chance - 0.5) < 0.05
    print(
        f"{name:24} {pairs} pairs  medians {medians[kind]:7.3f} and {medians['unknown']:7.3f} ms  "
        f"difference {difference:+.3f} ms ({share:+.2%})  AUC {chance:.3f}  {'fine' if is_fine else 'TOLD APART'}",
        flush=True,
    )
    return is_fine


def main() -> int:
    """Run every comparison."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=2000)
    pairs = parser.parse_args().pairs
    print(f"enumeration by time, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="xj") as folder, running(Path(folder), pairs) as port:
        wait_until_ready(port)
        ask = asker(port)
        fine = [compare(ask, name, pairs, offset * pairs) for offset, name in enumerate(COMPARISONS)]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
