"""Replicas of real services behind a real gateway: restarted under load, killed, and frozen."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec

from local.settings import LocalSettings, environment
from stage.accounts import Process
from stage.foreign_routes import more_routes, routes_file
from stage.http_stub import HttpStub, Request, response
from stage.load import Load, Operation

PER_SECOND = 200
CATEGORIES, CAPTCHAS, ORDERS = "/api/v1/categories", "/api/v1/captchas", "/api/orders"
WAIT_SECONDS = 60


class Keys(HttpStub):
    """Plays user-service: answers its public keys, and signs access tokens."""

    def __init__(self) -> None:
        super().__init__()
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        key_set = {"keys": [{**public, "kid": "1", "alg": "ES256", "use": "sig"}]}
        self._answer = response(json.dumps(key_set).encode())

    def token(self) -> str:
        """Sign a token for an hour."""
        now = int(time.time())
        claims: dict[str, Any] = {"iss": "xinjing", "aud": "xinjing", "sub": "7", "sid": "s", "jti": "t", "roles": []}
        claims |= {"iat": now, "exp": now + 3600, "auth_time": now}
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": "1", "typ": "at+jwt"})

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Say them."""
        writer.write(self._answer)


@dataclass(frozen=True)
class RoutesFile:
    """The operator's file, with a route that stays and others."""

    path: Path
    service_url: str

    def write(self, *others: tuple[str, str]) -> None:
        """Write it anew."""
        self.path.write_text(routes_file(self.service_url, [(ORDERS, "none"), *others]))


@dataclass(frozen=True)
class Release:
    """Two replicas of captcha-service and of news-service, a foreign service, and the gateway in front of them."""

    captchas: list[Process]
    news: list[Process]
    gateway: Process
    token: str
    routes: RoutesFile


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Release]:
    """All of it, running."""
    tmp_path = tmp_path_factory.mktemp("release")
    env = environment(LocalSettings(data_dir=tmp_path), redis_url, {}) | {
        "GATEWAY_CAPTCHAS_PER_IP_PER_MINUTE": "100000",
        "CAPTCHA_ISSUES_PER_IP_PER_MINUTE": "100000",
        "CAPTCHA_ISSUES_PER_MINUTE": "100000",
    }
    migrate = [sys.executable, "-m", "flask", "--app", "news_service.app", "migrate"]
    subprocess.run(migrate, env=os.environ | env, check=True, timeout=60, capture_output=True)
    names = ("captcha-service", "captcha-service", "news-service", "news-service")
    with Keys() as keys, ThreadPoolExecutor() as pool:
        services = list(pool.map(lambda name: Process(name, env, tmp_path, workers=1), names))
        routes = RoutesFile(tmp_path / "orders.yaml", keys.url)
        routes.write()
        addresses = {
            "GATEWAY_CAPTCHA_SERVICE_URL": f"{services[0].url},{services[1].url}",
            "GATEWAY_NEWS_SERVICE_URL": f"{services[2].url},{services[3].url}",
            "GATEWAY_USER_SERVICE_URL": keys.url,
            "GATEWAY_ROUTES_FILE": str(routes.path),
            "GATEWAY_UPSTREAM_READ_SECONDS": "3",
            "GATEWAY_CACHE_BYTES": "0",  # Each read reaches a service, or nobody.
        }
        gateway = Process("gateway", env | addresses, tmp_path, workers=2, threads=256)  # As gunicorn.conf.py has it.
        yield Release(services[:2], services[2:], gateway, keys.token(), routes)
        list(pool.map(Process.stop, [gateway, *services]))


@pytest.fixture
def load(release: Release) -> Load:
    """Reads and writes, a part of them with a token."""
    operations = (
        Operation("GET", CATEGORIES, 200),
        Operation("POST", CAPTCHAS, 201),
        Operation("GET", "/", 200, release.token),
        Operation("POST", CAPTCHAS, 201),
    )
    return Load(release.gateway.port, operations, PER_SECOND)


def restart(process: Process) -> None:
    process.stop()
    process.start()


def test_w63_a_rolling_restart_of_services_and_gateway_fails_no_request(release: Release, load: Load) -> None:
    with load, ThreadPoolExecutor() as pool:
        load.wait_for(PER_SECOND)
        for one_of_each_service in zip(release.captchas, release.news, strict=True):
            list(pool.map(restart, one_of_each_service))
            load.wait_for(PER_SECOND)
        release.gateway.reload()
        load.wait_for(3 * PER_SECOND)
    assert load.failures == []


def test_a_reload_of_the_routes_file_fails_no_request(release: Release) -> None:
    operations = (Operation("GET", CATEGORIES, 200), Operation("GET", ORDERS, 200, release.token))
    with Load(release.gateway.port, operations, PER_SECOND) as load:
        load.wait_for(PER_SECOND)
        statuses = []
        for others in ([("/api/more", "none")], [("no path", "none")], more_routes(200), []):
            release.routes.write(*others)
            release.gateway.reload()
            load.wait_for(PER_SECOND // 2)
            statuses.append([ask(release, "GET", path).status_code for path in ("/api/more", "/api/shop-9/1/lines/2")])
    assert load.failures == []
    # 401: the route is there, and wants a user. The wrong file changes nothing.
    assert statuses == [[401, 404], [401, 404], [404, 401], [404, 404]]


def ask(release: Release, method: str, path: str) -> requests.Response:
    return requests.request(method, release.gateway.url + path, json={} if method == "POST" else None, timeout=30)


def documented(answer: requests.Response) -> tuple[int, str, bool]:
    """The status and code of a problem, and whether it says when to ask again."""
    return answer.status_code, answer.json()["code"], answer.headers["Retry-After"].isdecimal()


def wait_until_it_serves(release: Release) -> None:
    """Return when a read succeeds; until then only documented problems come."""
    end = time.monotonic() + WAIT_SECONDS
    while (answer := ask(release, "GET", CATEGORIES)).status_code != 200:
        assert documented(answer)[1:] in {("service_unavailable", True), ("upstream_timeout", True)}
        assert time.monotonic() < end
        time.sleep(0.02)


def test_w64_a_killed_replica_costs_no_request_and_two_are_503_until_one_is_back(release: Release, load: Load) -> None:
    with load:
        load.wait_for(PER_SECOND)
        release.captchas[0].kill()
        release.news[0].kill()
        load.wait_for(PER_SECOND)
    # What the killed ones had begun is lost, and a POST is not repeated.
    assert [each for each in load.failures if "upstream_unavailable" not in each or "GET" in each] == []
    release.news[1].kill()
    answers = [ask(release, "GET", CATEGORIES) for _ in range(5)]
    assert {documented(answer) for answer in answers} == {(503, "service_unavailable", True)}
    assert ask(release, "POST", CAPTCHAS).status_code == 201
    for killed in (release.captchas[0], *release.news):
        killed.start()
    wait_until_it_serves(release)


def test_w64_a_frozen_service_holds_no_other_up_and_serves_when_it_goes_on(release: Release) -> None:
    for replica in release.news:
        replica.freeze()
    with ThreadPoolExecutor(100) as clients:
        asked = [clients.submit(ask, release, "GET", CATEGORIES) for _ in range(100)]
        assert [ask(release, "POST", CAPTCHAS).status_code for _ in range(5)] == [201] * 5
        assert not all(each.done() for each in asked)
    found = {documented(each.result()) for each in asked}
    assert found <= {(503, "service_unavailable", True), (504, "upstream_timeout", True)}
    for replica in release.news:
        replica.thaw()
    wait_until_it_serves(release)


def test_w64_one_frozen_replica_of_two_leaves_the_service_to_the_other(release: Release) -> None:
    release.news[0].freeze()
    with ThreadPoolExecutor(10) as clients:
        answers = list(clients.map(lambda _: ask(release, "GET", CATEGORIES).status_code, range(100)))
    release.news[0].thaw()
    assert answers.count(200) >= 80  # It is ejected after three time-outs in a row, in each of two workers.
    wait_until_it_serves(release)
