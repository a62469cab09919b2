"""What our services spend where one program would do: a list of articles, and the check of a session.

Both are asked through the gateway, as browsers do, and the processor time of all processes counts but the client's.
"""

import secrets
import statistics
from collections.abc import Callable, Iterator
from functools import partial

import urllib3

from bench.effort import Effort, Tell
from bench.rounds import CLIENTS, per_second, servers_cpu_ms
from bench.table import Row, compare
from bench.yardsticks import better_auth, flask_app
from stage.accounts import Accounts, Process, running_accounts
from stage.client import Client

_LIST_GOAL, _SESSION_GOAL = 1.2, 1.5


def measure(effort: Effort, tell: Tell) -> Iterator[Row]:
    """Measure both; the list comes first, because the other yardstick may be missing."""
    tell("starting user-service, news-service and a gateway")
    with running_accounts(gateways=0, USER_ARGON2_PROFILE="owasp") as system:
        system.start_news_service()
        gateway = system.start_gateway()
        yield from _lists(system, gateway, effort, tell)
        yield from _session_checks(system, gateway, effort, tell)


def _lists(system: Accounts, gateway: Process, effort: Effort, tell: Tell) -> Iterator[Row]:
    """Read twenty articles from the gateway, and from a course's program on the same rows."""
    # Without the gateway's cache, from which readers get most lists.
    ours = partial(_read, _pool(), f"{gateway.url}/api/v1/news?limit=20", {"Cache-Control": "no-store"})
    with flask_app("stage.article_list:app", system.folder, STAGE_DATABASE_URL=system.env["NEWS_DATABASE_URL"]) as url:
        yardstick = partial(_read, _pool(), f"{url}/?page=1&per_page=20", {})
        own, other = _cpu_ms(ours, yardstick, effort, lambda text: tell(f"lists of articles, {text}"))
    what, against = "CPU of a list of 20 articles", "a course's program"
    yield compare(what, own, other, unit="ms", against=against, at_most=_LIST_GOAL)


def _session_checks(system: Accounts, gateway: Process, effort: Effort, tell: Tell) -> Iterator[Row]:
    """Ask the gateway who is signed in, and better-auth, which asks its database each time as user-service does."""
    with Client() as client:
        token = client.register(gateway, "13900139000")["access_token"]
    ours = partial(_read, _pool(), f"{gateway.url}/api/v1/users/me", {"Authorization": f"Bearer {token}"})
    tell("installing better-auth; the first time takes a minute")
    with better_auth(system.folder) as url:
        cookie = _sign_up(url)
        yardstick = partial(_read, _pool(), f"{url}/api/auth/get-session", {"Cookie": cookie})
        own, other = _cpu_ms(ours, yardstick, effort, lambda text: tell(f"checks of a session, {text}"))
    what, against = "CPU of a session's check, users/me", "better-auth"
    yield compare(what, own, other, unit="ms", against=against, at_most=_SESSION_GOAL)


def _sign_up(url: str) -> str:
    person = {"name": "Reader", "email": "reader@example.org", "password": secrets.token_urlsafe(16)}
    answer = _pool().request("POST", f"{url}/api/auth/sign-up/email", json=person, headers={"Origin": url})
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {answer.data[:300]!r}")
    return answer.headers["Set-Cookie"].partition(";")[0]


def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(maxsize=2 * CLIENTS, retries=False, timeout=30)


def _read(http: urllib3.PoolManager, url: str, headers: dict[str, str], _: int) -> None:
    answer = http.request("GET", url, headers=headers)
    if answer.status != 200 or len(answer.data) < 100:
        raise RuntimeError(f"{answer.status}: {answer.data[:300]!r}")


def _cpu_ms(
    ours: Callable[[int], None], yardstick: Callable[[int], None], effort: Effort, tell: Tell
) -> tuple[float, float]:
    """Return what each costs all servers, in milliseconds: the medians of rounds in turns."""
    for read in (ours, yardstick):
        per_second(read, seconds=effort.call_seconds)  # Fills the caches.
    rounds = []
    for number in range(effort.rounds):
        tell(f"round {number + 1} of {effort.rounds}")
        rounds.append([servers_cpu_ms(read, seconds=effort.round_seconds) for read in (ours, yardstick)])
    own, other = (statistics.median(column) for column in zip(*rounds, strict=True))
    return own, other
