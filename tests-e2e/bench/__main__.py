"""Speeds, as ratios against a yardstick in the same run: ``make bench``, ``make bench QUICK=1 PARTS=accounts``.

A part that fails is shown as failed, the others go on, and the exit status is 1. A missed goal fails nothing.
"""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bench import accounts, captchas, enumeration, gateway, log_lines, news, revocation, routes, services, sms
from bench.effort import LONG, QUICK, Effort, NotMeasured, Tell
from bench.progress import Progress
from bench.table import Measured, Row, table
from chassis.logs import configure_logs


@dataclass(frozen=True)
class Part:
    """One part, and how long it takes on two quiet cores."""

    measure: Callable[[Effort, Tell], Iterator[Row]]
    long_seconds: float
    quick_seconds: float

    def seconds(self, effort: Effort) -> float:
        """Return how long it takes with this effort."""
        return self.quick_seconds if effort is QUICK else self.long_seconds


PARTS = {
    "captchas": Part(captchas.measure, 70, 5),
    "sms-rabbitmq": Part(sms.measure_rabbitmq, 140, 23),
    "sms-redis": Part(sms.measure_redis_stream, 120, 13),
    "accounts": Part(accounts.measure, 70, 11),
    "services": Part(services.measure, 70, 15),
    "enumeration": Part(enumeration.measure, 240, 9),
    "gateway": Part(gateway.measure, 85, 12),
    "routes": Part(routes.measure, 100, 20),
    "news": Part(news.measure, 2400, 20),
    "log-lines": Part(log_lines.measure, 8, 3),
    "revocation": Part(revocation.measure, 60, 7),
}


def main(arguments: list[str] | None = None, *, parts: dict[str, Part] = PARTS) -> int:
    """Measure the parts that are asked for, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="see that every part works; the figures are rough")
    parser.add_argument("part", nargs="*", help=f"one of {', '.join(parts)}; all by default")
    options = parser.parse_args(arguments)
    if unknown := set(options.part) - set(parts):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    effort, names = QUICK if options.quick else LONG, options.part or list(parts)
    about = sum(parts[name].seconds(effort) for name in names)
    progress = Progress(sys.stderr, about_seconds=about)
    progress.tell_now(f"parts: {', '.join(names)}")
    measured = [_run(name, parts[name], effort, progress) for name in names]
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, one machine for everything")
    print(*table(measured), _summary(measured), sep="\n")
    if options.quick:
        print("A quick run shows that every part works; its figures, and what they miss, are rough.")
    return 1 if any(each.is_failed for each in measured) else 0


def _run(name: str, part: Part, effort: Effort, progress: Progress) -> Measured:
    found, begun_at = Measured(name), time.monotonic()
    progress.tell_now(f"{name}, about {part.seconds(effort):.0f} s")
    try:
        for row in part.measure(effort, lambda text: progress.tell(f"{name}: {text}")):
            found.rows.append(row)
    except NotMeasured as reason:
        found.trouble = f"not measured: {reason}"
    except (Exception, SystemExit) as error:  # Whatever it is, the other parts are measured.
        traceback.print_exc()
        found.is_failed = True
        found.trouble = f"FAILED: {type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
    found.seconds = time.monotonic() - begun_at
    return found


def _summary(measured: list[Measured]) -> str:
    verdicts = [row.is_met for each in measured for row in each.rows]
    failed = ", ".join(each.part for each in measured if each.is_failed) or "none"
    return f"Goals met: {verdicts.count(True)}, missed: {verdicts.count(False)}. Parts that failed: {failed}."


if __name__ == "__main__":
    configure_logs("bench", "ERROR")
    sys.exit(main())
