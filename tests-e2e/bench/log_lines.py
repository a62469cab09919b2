"""The line in the log that each request costs, by processor time, in a process whose stderr is a pipe, in batches."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import structlog
from serving.log_lines import LineBatch

from bench.effort import Effort, Tell
from bench.table import Row, compare
from chassis.logs import configure_logs
from chassis.tracing import begin_request

_LINES = 20_000
_GOAL_MICROSECONDS = 25


def measure(effort: Effort, tell: Tell) -> Iterator[Row]:
    """Measure the line ``request`` against another one with the same fields, and against its goal."""
    tell(f"{_LINES:,} lines of requests, and of others")
    command = [sys.executable, "-m", "bench.log_lines", str(effort.rounds)]
    request, other = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=300).stdout)
    yield compare("CPU of a request's line", request, _GOAL_MICROSECONDS, unit="µs", against="the goal", at_most=1)
    yield compare("CPU of a request's line", request, other, unit="µs", against="any other line")


def _microseconds(event: str) -> float:
    """Return the processor time of one line as the gateway writes it."""
    log = structlog.get_logger()
    begun_at = time.process_time()
    for number in range(_LINES):
        begin_request(None)
        structlog.contextvars.bind_contextvars(client_ip=f"203.0.113.{number % 200}", user_id=number % 500)
        log.info(event, method="GET", route="/api/v1/users/me", status=200, seconds=round(number * 1e-6, 4))
    return 1e6 * (time.process_time() - begun_at) / _LINES


def main(rounds: int) -> None:
    """Print the least microseconds of a request's line and of another one, as JSON."""
    sys.stderr = LineBatch(sys.stderr)  # type: ignore[assignment]
    configure_logs("bench")
    pairs = [(_microseconds("request"), _microseconds("a request")) for _ in range(rounds)]
    print(json.dumps([min(column) for column in zip(*pairs, strict=True)]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
