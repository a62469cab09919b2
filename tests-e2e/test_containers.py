"""The containers: whom each of them reaches, who reaches the outside, and what the images hold."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytestmark = pytest.mark.compose
PORTS = {"redis": 6379, "rabbitmq": 5672, "mariadb": 3306, "sms-worker": 9100}
PORTS |= dict.fromkeys(("gateway", "captcha-service", "sms-service", "user-service", "news-service"), 8000)
MOST_BYTES = 265_000_000  # 250 before gevent, greenlet and YAML came for the gateway; all images share that layer.
# Who shares a network: callers and called.
REACHED = {
    "gateway": {"captcha-service", "sms-service", "user-service", "news-service", "redis"},
    "captcha-service": {"gateway", "sms-service", "user-service", "redis"},
    "sms-service": {"gateway", "captcha-service", "user-service", "redis", "rabbitmq"},
    "sms-worker": {"redis", "rabbitmq"},
    "user-service": {"gateway", "captcha-service", "sms-service", "news-service", "redis", "mariadb"},
    "news-service": {"gateway", "user-service", "redis", "mariadb"},
}
# Tries every address of every other container, by number, because names are known on shared networks alone.
TRY = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def is_open(target):
    try:
        socket.create_connection(target[1:], timeout=1.5).close()
        return target[0]
    except OSError:
        return None
with ThreadPoolExecutor(32) as pool:
    print(json.dumps(list({*pool.map(is_open, json.loads(sys.argv[1]))} - {None})))
"""


def inspect(*words: str) -> list[dict[str, Any]]:
    done = subprocess.run(["docker", *words], check=True, capture_output=True, text=True, timeout=30)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.fixture
def containers(stack: Any) -> list[dict[str, Any]]:
    """What Docker says of every container that runs."""
    return inspect("inspect", *stack.compose("ps", "--quiet").split())


def service_of(container: dict[str, Any]) -> str:
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def networks_of(container: dict[str, Any]) -> dict[str, Any]:
    networks: dict[str, Any] = container["NetworkSettings"]["Networks"]
    return networks


def test_everybody_reaches_their_own_and_nobody_else(stack: Any, containers: list[dict[str, Any]]) -> None:
    addresses = [(service_of(each), net["IPAddress"]) for each in containers for net in networks_of(each).values()]

    def reached_from(service: str) -> set[str]:
        targets = json.dumps([(name, address, PORTS[name]) for name, address in addresses if name != service])
        return set(json.loads(stack.compose("exec", "-T", service, "python", "-c", TRY, targets)))

    with ThreadPoolExecutor(len(REACHED)) as pool:
        assert dict(zip(REACHED, pool.map(reached_from, REACHED), strict=True)) == REACHED


def test_only_gateway_and_worker_are_on_a_network_with_a_way_out(containers: list[dict[str, Any]]) -> None:
    names = {name for each in containers for name in networks_of(each)}
    outward = {network["Name"] for network in inspect("network", "inspect", *names) if not network["Internal"]}
    assert {service_of(each) for each in containers if outward & set(networks_of(each))} == {"gateway", "sms-worker"}


def test_images_are_small_and_hold_no_tools(stack: Any, containers: list[dict[str, Any]]) -> None:
    images = {each["Config"]["Image"] for each in containers if each["Config"]["Image"].startswith("xinjing/")}
    inspected = inspect("image", "inspect", *images)
    assert [each["RepoTags"] for each in inspected if each["Size"] > MOST_BYTES] == []
    # All but the last layers are the same: so much is stored once.
    assert len({tuple(each["RootFS"]["Layers"][:4]) for each in inspected}) == 1
    tools = "for tool in pip pip3 apt-get dpkg perl gcc make curl; do command -v $tool; done; true"
    assert stack.compose("exec", "-T", "gateway", "sh", "-c", tools) == ""
