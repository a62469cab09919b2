"""RabbitMQ's own ways to fail: it stalls, blocks, is full, is away, loses a queue."""

import contextlib
import gc
import os
import select
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest

from sms_service.app import create_app
from sms_service.providers.inbox import Inbox
from sms_service.queue.interface import NotPublished, PublishFailure
from sms_service.queue.job import SendJob
from sms_service.queue.rabbitmq import topology
from sms_service.queue.rabbitmq.consumer import RabbitConsumer
from sms_service.queue.rabbitmq.publisher import RabbitPublisher

# For how long pika waits for a silent broker by default; our deadlines here are fractions of a second.
PIKA_SECONDS = 10
pytestmark = pytest.mark.usefixtures("living_worker")


class StallingProxy:
    """A TCP proxy that holds bytes back while ``is_stalled``: a broker that is paused."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.flows = threading.Event()
        self.flows.set()
        self.connections = 0
        self._closing = False
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self._closing:
            if not select.select([self._listener], [], [], 0.05)[0]:
                continue
            near, _ = self._listener.accept()
            self.connections += 1
            thread = threading.Thread(target=self._carry, args=[near], daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, near: socket.socket) -> None:
        with near, socket.create_connection(self._target) as far, contextlib.suppress(OSError):
            other = {near: far, far: near}
            while not self._closing:
                for ready in select.select([near, far], [], [], 0.05)[0]:
                    data = ready.recv(65536)
                    while not self.flows.wait(0.05):
                        if self._closing:
                            return
                    if not data:
                        return
                    other[ready].sendall(data)

    def close(self) -> None:
        self._closing = True
        for thread in self._threads:
            thread.join()
        self._listener.close()


@pytest.fixture
def amqp_url() -> str:
    url = os.environ["TEST_AMQP_URL"]
    topology.apply_topology(url)
    connection = pika.BlockingConnection(pika.URLParameters(url))
    connection.channel().queue_purge(topology.SEND_QUEUE)
    connection.close()
    return url


@pytest.fixture
def proxy(amqp_url: str) -> Iterator[StallingProxy]:
    target = urlsplit(amqp_url)
    proxy = StallingProxy(target.hostname or "", target.port or 5672)
    yield proxy
    proxy.close()


@pytest.fixture
def proxied_url(amqp_url: str, proxy: StallingProxy) -> str:
    parts = urlsplit(amqp_url)
    return f"amqp://{parts.username}:{parts.password}@127.0.0.1:{proxy.port}{parts.path}"


@pytest.fixture
def make_publisher() -> Iterator[Callable[..., RabbitPublisher]]:
    made: list[RabbitPublisher] = []

    def make(url: str, deadline_seconds: float = 2) -> RabbitPublisher:
        made.append(RabbitPublisher(url, deadline_seconds=deadline_seconds, job_ttl_seconds=300))
        return made[-1]

    yield make
    for publisher in made:
        publisher.close_connections()
    made.clear()
    # pika leaves the socket of an attempt that broke in the middle to the garbage collector, which warns of it.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


@pytest.fixture
def make_consumer(make_publisher) -> Iterator[Callable[[str], RabbitConsumer]]:
    made: list[RabbitConsumer] = []

    def make(url: str) -> RabbitConsumer:
        made.append(RabbitConsumer(url, prefetch=5, publisher=make_publisher(url)))
        return made[-1]

    yield make
    for consumer in made:
        consumer.close_connections()


def a_job() -> SendJob:
    return SendJob(uuid.uuid4().hex, "a" * 32, 0, int(time.time()) + 300, "request-1")


def failure_of(publisher: RabbitPublisher) -> PublishFailure | None:
    try:
        publisher.publish(a_job())
    except NotPublished as error:
        return error.failure
    return None


def eventually(is_so: Callable[[], bool], *, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_a_broker_that_is_away_fails_a_publish_within_the_deadline(make_publisher) -> None:
    publisher = make_publisher("amqp://127.0.0.1:9/%2f", 0.3)
    begun_at = time.monotonic()
    assert failure_of(publisher) is PublishFailure.LOST
    assert not publisher.is_up()
    assert time.monotonic() - begun_at < PIKA_SECONDS


def test_a_broker_that_says_nothing_fails_a_publish_within_the_deadline(make_publisher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        publisher = make_publisher(f"amqp://127.0.0.1:{silent.getsockname()[1]}/%2f", 0.3)
        begun_at = time.monotonic()
        assert failure_of(publisher) is PublishFailure.LOST
        assert time.monotonic() - begun_at < PIKA_SECONDS


@pytest.mark.outside
def test_a_node_that_is_away_is_passed_over(make_publisher, make_consumer, amqp_url) -> None:
    publisher = make_publisher(f"amqp://127.0.0.1:9/%2f, {amqp_url}")
    assert eventually(publisher.is_up)
    assert failure_of(publisher) is None
    topology.check_topology(f"amqp://127.0.0.1:9/%2f,{amqp_url}")


@pytest.mark.outside
def test_many_threads_publish_over_one_connection(make_publisher, proxied_url, proxy) -> None:
    publisher = make_publisher(proxied_url, 10)
    with ThreadPoolExecutor(16) as pool:
        failures = list(pool.map(lambda _: failure_of(publisher), range(200)))
    assert failures == [None] * 200
    assert proxy.connections == 1


@pytest.mark.outside
def test_a_missing_queue_is_neither_ready_nor_confirmed_until_it_is_declared(make_publisher, amqp_url) -> None:
    publisher = make_publisher(amqp_url)
    assert publisher.is_up()
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    connection.channel().queue_delete(topology.SEND_QUEUE)
    connection.close()
    assert failure_of(publisher) is PublishFailure.UNROUTABLE
    late = make_publisher(amqp_url)
    assert failure_of(late) is PublishFailure.LOST
    topology.apply_topology(amqp_url)
    assert failure_of(publisher) is None
    assert eventually(late.is_up)


@pytest.mark.outside
def test_a_consumer_comes_back_after_its_queue_was_deleted_and_declared_again(
    make_publisher, make_consumer, amqp_url
) -> None:
    consumer = make_consumer(amqp_url)
    assert eventually(consumer.is_up)
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    connection.channel().queue_delete(topology.SEND_QUEUE)
    connection.close()
    assert eventually(lambda: not consumer.is_up())
    topology.apply_topology(amqp_url)
    make_publisher(amqp_url).publish(a_job())
    leases: list[Any] = []
    assert eventually(lambda: bool(leases.extend(consumer.lease(limit=1, wait_seconds=0.1)) or leases))
    consumer.ack(leases[0])


@pytest.mark.outside
def test_a_publisher_comes_back_after_the_connection_broke(make_publisher, proxied_url, amqp_url) -> None:
    publisher = make_publisher(proxied_url)
    assert publisher.is_up()
    connection = publisher._thread._connection  # No other way to break just this one.
    publisher._thread.call(connection._adapter_abort if hasattr(connection, "_adapter_abort") else connection.close)
    assert eventually(lambda: failure_of(publisher) is None)


@pytest.mark.outside
def test_503_means_that_nobody_is_texted_though_the_broker_gets_the_job_later(
    make_publisher, make_consumer, proxied_url, proxy, amqp_url, settings, captcha_stub, called_by,
    make_job_states, inbox: Inbox, make_job_handler, consume,
) -> None:  # fmt: skip
    publisher = make_publisher(proxied_url, 0.3)
    assert publisher.is_up()
    client = create_app(settings, publisher=publisher).test_client()
    captcha_stub.answers["c"] = "t"
    body: dict[str, Any] = {"mobile": "13800138000", "purpose": "login", "captcha_id": "c", "captcha_text": "t"}
    proxy.flows.clear()
    begun_at = time.monotonic()
    answer = client.post("/api/v1/sms-codes", json=body, headers=called_by("sms-service"))
    assert (answer.status_code, answer.json["code"]) == (503, "sms_unavailable")
    assert time.monotonic() - begun_at < PIKA_SECONDS
    proxy.flows.set()
    consumer = make_consumer(amqp_url)
    leases: list[Any] = []
    assert eventually(lambda: bool(leases.extend(consumer.lease(limit=1, wait_seconds=0.1)) or leases))
    make_job_handler(consumer=consumer).handle(leases[0])
    assert inbox.messages() == []
    assert consume("042619", purpose="login").json["code"] == "sms_code_expired"


@pytest.mark.outside
def test_an_acknowledgement_for_a_lost_channel_does_no_harm(make_publisher, make_consumer, amqp_url) -> None:
    make_publisher(amqp_url).publish(a_job())
    consumer = make_consumer(amqp_url)
    first: list[Any] = []
    assert eventually(lambda: bool(first.extend(consumer.lease(limit=1, wait_seconds=0.1)) or first))
    consumer._thread.call(consumer._thread._close_connection)
    again: list[Any] = []
    assert eventually(lambda: bool(again.extend(consumer.lease(limit=1, wait_seconds=0.1)) or again))
    consumer.ack(first[0])
    consumer.ack(again[0])
    assert consumer.lease(limit=1, wait_seconds=0.3) == []
    assert consumer.is_up()
