"""The SMS pipeline as real processes, and faults for it; the journeys' conftest.py prints what came of them.

Every test is marked `outside`: they need RabbitMQ at TEST_AMQP_URL and its container (see `stage.broker`).
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import astuple
from pathlib import Path

import pytest

from stage.broker import Broker
from stage.system import SmsSystem
from stage.tally import Asked, Tally
from stage.vendor import PassingCaptchas, Vendor


@pytest.fixture(scope="session")
def broker() -> Broker:
    """RabbitMQ, in hands that do it no good."""
    return Broker(os.environ["TEST_AMQP_URL"])


@pytest.fixture(scope="session")
def captchas() -> Iterator[PassingCaptchas]:
    """A captcha-service that passes everything."""
    with PassingCaptchas() as stub:
        yield stub


@pytest.fixture(params=["rabbitmq", "stream"])
def queue_name(request: pytest.FixtureRequest) -> str:
    """The queue's adapter."""
    return str(request.param)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A vendor that keeps its promise on reqId, and has nothing to hide until it is given plays."""
    with Vendor() as stub:
        yield stub


@pytest.fixture
def plain_vendor() -> Iterator[Vendor]:
    """A vendor that texts as often as it is asked."""
    with Vendor(is_idempotent=False) as stub:
        yield stub


@pytest.fixture
def make_system(broker: Broker, captchas: PassingCaptchas) -> Iterator[Callable[..., SmsSystem]]:
    """Make a system with a Redis of its own and empty queues; everything that it starts ends with the test."""
    with ExitStack() as ends:

        def make(vendor: Vendor, queue_name: str = "rabbitmq", *others: Vendor) -> SmsSystem:
            folder = Path(tempfile.mkdtemp(prefix="xj"))  # Short, because a socket's path must be.
            ends.callback(shutil.rmtree, folder, ignore_errors=True)
            if queue_name == "rabbitmq":
                broker.reset()
            system = SmsSystem(folder, vendor, captchas, broker if queue_name == "rabbitmq" else None, *others)
            ends.callback(system.close)
            return system

        yield make


@pytest.fixture
def system(make_system: Callable[..., SmsSystem], vendor: Vendor, queue_name: str) -> SmsSystem:
    """A system on each queue in turn."""
    return make_system(vendor, queue_name)


@pytest.fixture
def rabbit_system(make_system: Callable[..., SmsSystem], vendor: Vendor) -> SmsSystem:
    """A system on RabbitMQ."""
    return make_system(vendor)


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Callable[..., Tally]:
    """Tally a run of requests, add it to the table, and fail over a broken promise."""

    def tally(system: SmsSystem, asked: list[Asked], detail: str = "") -> Tally:
        row = system.tally(asked)
        fault = request.node.name.removeprefix("test_").replace("_", " ") + (f": {detail}" if detail else "")
        request.node.user_properties.append(("fault", [fault, *astuple(row)]))
        assert row.broken == {}, row
        return row

    return tally
