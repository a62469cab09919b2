"""Log lines in batches: whole, in order, none lost at an end that can be noticed."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from serving.log_lines import LineBatch

PIPE_BUF = 4096


class Writes(io.RawIOBase):
    """What is written to the system, each write apart."""

    def __init__(self, *, broken: bool = False) -> None:
        self.texts: list[str] = []
        self._broken = broken

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self._broken:
            raise BrokenPipeError
        self.texts.append(bytes(data).decode())
        return len(data)


def stderr_on(writes: Writes) -> io.TextIOWrapper:
    """Build what Python makes of the file 2."""
    return io.TextIOWrapper(io.BufferedWriter(writes), "utf-8", errors="backslashreplace", line_buffering=True)


def wait_until(is_true: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_lines_wait_for_a_flush_and_keep_their_order() -> None:
    writes = Writes()
    batch = LineBatch(stderr_on(writes))
    batch.write("one\n")
    batch.write("two\n")
    assert writes.texts == []
    batch.write("warning\n")
    batch.flush()
    assert writes.texts == ["one\ntwo\nwarning\n"]


def test_lines_are_written_in_time_without_a_flush() -> None:
    writes = Writes()
    batch = LineBatch(stderr_on(writes))
    for line in ("one\n", "two\n"):
        batch.write(line)
        wait_until(lambda line=line: "".join(writes.texts).endswith(line))
    assert writes.texts == ["one\n", "two\n"]


def test_each_write_holds_whole_lines_and_at_most_pipe_buf_bytes() -> None:
    writes = Writes()
    batch = LineBatch(stderr_on(writes))
    lines = [f"{number} {'新' * (number % 90)}\n" for number in range(500)]
    for line in lines:
        batch.write(line)
    batch.flush()
    assert "".join(writes.texts) == "".join(lines)
    assert all(text.endswith("\n") and len(text.encode()) <= PIPE_BUF for text in writes.texts)
    assert len(writes.texts) < len(lines) / 10


def test_a_line_longer_than_pipe_buf_is_alone() -> None:
    writes = Writes()
    batch = LineBatch(stderr_on(writes))
    long = "x" * 2 * PIPE_BUF + "\n"
    for line in ("before\n", long, "after\n"):
        batch.write(line)
    batch.flush()
    assert writes.texts == ["before\n", long, "after\n"]


def test_a_closed_pipe_fails_nothing_and_holds_nothing() -> None:
    batch = LineBatch(stderr_on(Writes(broken=True)))
    for number in range(1000):
        batch.write(f"{number}\n")
    batch.flush()
    assert batch._lines == []


def test_threads_lose_no_line() -> None:
    writes = Writes()
    batch = LineBatch(stderr_on(writes))

    def write(thread: int) -> None:
        for number in range(500):
            batch.write(f"{thread} {number}\n")
            if number % 50 == 0:
                batch.flush()

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batch.end()
    lines = [line.split() for line in "".join(writes.texts).splitlines()]
    for thread in range(8):
        assert [int(number) for who, number in lines if who == str(thread)] == list(range(500))


# A parent and two children write to one pipe; they end by a return, an error and an exit in a signal's handler.
_FAMILY = """
import os, signal, sys
from serving.log_lines import LineBatch

sys.stderr = LineBatch(sys.stderr)
sys.stderr.write("of the parent, before the fork\\n")
children = []
for child in range(2):
    pid = os.fork()
    if pid == 0:
        for number in range(2000):
            sys.stderr.write(f"{child} {number} {'x' * (number % 300)}\\n")
        if child:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
            os.kill(os.getpid(), signal.SIGTERM)
        raise SystemExit(int("no number"))
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
"""


def test_processes_on_one_pipe_tear_no_line_and_write_all_at_every_end() -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FAMILY], stderr=subprocess.PIPE, text=True, timeout=60, check=True
    )
    lines = ended.stderr.splitlines()
    assert lines.count("of the parent, before the fork") == 1
    for child in "01":
        own = [line for line in lines if line.startswith(f"{child} ")]
        assert own == [f"{child} {number} {'x' * (number % 300)}" for number in range(2000)]
    assert "ValueError: invalid literal for int() with base 10: 'no number'" in lines


def request_ids(log: Path) -> list[str]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line["request_id"] for line in lines if line["event"] == "request" and line.get("route") == "unmatched"]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGABRT], ids=lambda end: end.name)
def test_a_worker_that_ends_writes_every_line(start_service: Callable[..., Any], end: signal.Signals) -> None:
    service = start_service("captcha-service", CAPTCHA_LOG_LEVEL="INFO")
    [worker] = psutil.Process(service.process.pid).children()
    ids = [f"request-{number}" for number in range(40)]
    with requests.Session() as session:
        for request_id in ids:
            session.get(f"{service.url}/nothing", headers={"X-Request-Id": request_id}, timeout=30)
    os.kill(worker.pid, end)
    worker.wait(30)
    assert request_ids(service.log) == ids
    events = [json.loads(line)["event"] for line in service.log.read_text().splitlines()]
    exits = events.index(f"Worker exiting (pid: {worker.pid})")
    assert events[:exits].count("request") >= len(ids), "gunicorn's line stands behind those before it"


def test_a_killed_worker_has_written_what_is_older_than_the_batch_waits(start_service: Callable[..., Any]) -> None:
    service = start_service("captcha-service", CAPTCHA_LOG_LEVEL="INFO")
    [worker] = psutil.Process(service.process.pid).children()
    requests.get(f"{service.url}/nothing", headers={"X-Request-Id": "one"}, timeout=30)
    wait_until(lambda: request_ids(service.log) == ["one"])
    worker.kill()
    worker.wait(30)
    assert request_ids(service.log) == ["one"]
