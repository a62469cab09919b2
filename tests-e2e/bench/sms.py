"""The speed of the SMS pipeline, as ratios against a yardstick in the same run: ``python -m bench.sms``.

It needs RabbitMQ, at TEST_AMQP_URL or started here with Docker; without either it measures the Redis stream alone.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.accepting import measure_accepting
from bench.sending import measure_sending
from chassis.logs import configure_logs
from stage.broker import SERVERS, SERVERS_URL, Broker, run
from stage.system import SmsSystem
from stage.vendor import PassingCaptchas, Play, Vendor

_PROVIDER_SECONDS = 0.05


@contextmanager
def _broker() -> Iterator[Broker | None]:
    """Find or start RabbitMQ; None, with a word of why, where there is none."""
    if "TEST_AMQP_URL" in os.environ:
        yield Broker(os.environ["TEST_AMQP_URL"])
        return
    try:
        run(*SERVERS, "up", "--wait", "--quiet-pull", "rabbitmq")
    except (OSError, subprocess.SubprocessError):
        print("RabbitMQ is not measured: TEST_AMQP_URL is not set, and Docker is not here to start one.")
        yield None
        return
    try:
        yield Broker(SERVERS_URL)
    finally:
        run(*SERVERS, "down", "-v", "--timeout", "2")


@contextmanager
def _system(broker: Broker | None) -> Iterator[SmsSystem]:
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="xj")))
        vendor = ends.enter_context(Vendor(Play(delay_seconds=_PROVIDER_SECONDS)))
        captchas = ends.enter_context(PassingCaptchas())
        if broker is not None:
            broker.reset()
        system = SmsSystem(folder, vendor, captchas, broker)
        ends.callback(system.close)
        yield system


def main() -> int:
    """Measure each queue that is here, and print."""
    configure_logs("bench", "ERROR")
    print(f"SMS pipeline on {os.cpu_count()} cores, one machine for everything")
    with _broker() as broker:
        for name, each in {"RabbitMQ": broker, "Redis stream": None}.items():
            if name == "RabbitMQ" and broker is None:
                continue
            with _system(each) as system:
                print(f"\n{name}: one API process accepts codes", *measure_accepting(system), sep="\n  ")
            with _system(each) as system:
                print(f"\n{name}: workers text, the provider takes 50 ms", *measure_sending(system), sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
