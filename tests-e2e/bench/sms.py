"""The speed of the SMS pipeline on each of its two queues: accepting codes, and sending them.

RabbitMQ is the one at TEST_AMQP_URL, else one that Docker starts for this run alone.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.accepting import measure_accepting
from bench.effort import Effort, NotMeasured, Tell
from bench.sending import PROVIDER_SECONDS, measure_sending
from bench.table import Row
from stage.broker import Broker, has_docker, running_broker
from stage.system import SmsSystem
from stage.vendor import PassingCaptchas, Play, Vendor


def measure_rabbitmq(effort: Effort, tell: Tell) -> Iterator[Row]:
    """Measure with RabbitMQ as the queue."""
    if "TEST_AMQP_URL" in os.environ:
        yield from _measure(Broker(os.environ["TEST_AMQP_URL"]), effort, tell)
    elif not has_docker():
        raise NotMeasured("TEST_AMQP_URL is not set, and Docker is not here to start RabbitMQ")
    else:
        tell("starting RabbitMQ")
        with running_broker() as broker:
            yield from _measure(broker, effort, tell)


def measure_redis_stream(effort: Effort, tell: Tell) -> Iterator[Row]:
    """Measure with a stream on Redis as the queue."""
    yield from _measure(None, effort, tell)


def _measure(broker: Broker | None, effort: Effort, tell: Tell) -> Iterator[Row]:
    for measure in (measure_accepting, measure_sending):
        with _system(broker) as system:
            yield from measure(system, effort, tell)


@contextmanager
def _system(broker: Broker | None) -> Iterator[SmsSystem]:
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="xj")))
        vendor = ends.enter_context(Vendor(Play(delay_seconds=PROVIDER_SECONDS)))
        captchas = ends.enter_context(PassingCaptchas())
        if broker is not None:
            broker.reset()
        system = SmsSystem(folder, vendor, captchas, broker)
        ends.callback(system.close)
        yield system
