"""The health check of a container, against servers on a socket; and that no check of any container is expensive."""

import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

# They start an interpreter or a virtual machine, every few seconds.
EXPENSIVE = re.compile(r"python|flask|gunicorn|rabbitmq-diagnostics|rabbitmqctl")


@pytest.fixture
def check(root: Path) -> Callable[..., int]:
    """Run the health check as Docker does, with its time-out."""

    def run(*words: str, port: int = 1) -> int:
        command = ["bash", str(root / "deploy/healthcheck"), *words]
        environment = {"PORT": str(port), "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, env=environment, check=False, timeout=4, capture_output=True).returncode

    return run


@pytest.fixture
def serve() -> Iterator[Callable[[bytes | None], int]]:
    """Answer one request with some bytes, or never with None; returns the port."""
    ends: list[Callable[[], None]] = []

    def start(answer: bytes | None) -> int:
        server, is_over = socket.create_server(("127.0.0.1", 0)), threading.Event()

        def answer_one() -> None:
            with closing(server), closing(server.accept()[0]) as connection:
                asked = b""
                while not asked.endswith(b"\r\n\r\n"):
                    asked += connection.recv(1000)
                assert asked.startswith(b"GET /readyz HTTP/1.1\r\nHost: ")
                connection.sendall(answer) if answer is not None else is_over.wait(20)

        thread = threading.Thread(target=answer_one)
        thread.start()
        ends.extend((is_over.set, thread.join))
        return int(server.getsockname()[1])

    yield start
    for end in ends:
        end()


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0),
        (b"HTTP/1.1 503 SERVICE UNAVAILABLE\r\n\r\n", 1),
        (b"HTTP/1.1 302 FOUND\r\n\r\n", 1),
        (b"200", 1),
        (b"", 1),
        (None, 1),
    ],
)
def test_only_a_service_that_says_so_is_ready(check, serve, answer: bytes | None, status: int) -> None:
    assert check(port=serve(answer)) == status


def test_the_port_may_be_another_one(check, serve) -> None:
    assert check(str(serve(b"HTTP/1.1 200 OK\r\n\r\n"))) == 0


def test_nobody_there_is_not_ready(check) -> None:
    assert check() == 1


def test_no_health_check_starts_an_interpreter(root: Path) -> None:
    """Each runs every few seconds for ever; one that started Python took more than a tenth of a core."""
    checks: dict[str, str] = {}
    for path in ("docker-compose.yml", "deploy/test-servers.compose.yml"):
        services: dict[str, Any] = yaml.safe_load((root / path).read_text())["services"]
        checks |= {
            f"{path} {name}": " ".join(each.get("healthcheck", {}).get("test", [])) for name, each in services.items()
        }
    checks["Dockerfile"] = re.findall(r"^HEALTHCHECK .*$", (root / "deploy/Dockerfile").read_text(), re.MULTILINE)[0]
    assert {name: test for name, test in checks.items() if EXPENSIVE.search(test)} == {}
