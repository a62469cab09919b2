"""The API with other collaborators than its settings choose; gunicorn calls one of these factories.

``gunicorn 'stage.wired_api:dies_before_publish()'``
"""

import os
import signal

from flask_openapi3 import OpenAPI

from chassis.settings import load_settings
from sms_service.app import create_app
from sms_service.queue.factory import make_publisher
from sms_service.queue.interface import JobPublisher
from sms_service.queue.job import SendJob
from sms_service.settings import Settings


class _Wrapped:
    """A publisher that does as another one does, and perhaps something else."""

    def __init__(self, inner: JobPublisher) -> None:
        self.inner = inner

    def publish(self, job: SendJob) -> None:
        self.inner.publish(job)

    def is_up(self) -> bool:
        return self.inner.is_up()

    def close_connections(self) -> None:
        self.inner.close_connections()


class _DiesBefore(_Wrapped):
    def publish(self, job: SendJob) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class _DiesAfter(_Wrapped):
    def publish(self, job: SendJob) -> None:
        super().publish(job)
        os.kill(os.getpid(), signal.SIGKILL)


class _Nowhere(_Wrapped):
    def publish(self, job: SendJob) -> None:
        pass

    def is_up(self) -> bool:
        return True


def _app(kind: type[_Wrapped]) -> OpenAPI:
    settings = load_settings(Settings)
    return create_app(settings, publisher=kind(make_publisher(settings)))


def dies_before_publish() -> OpenAPI:
    """Die as of kill -9 between RESERVE and the publish."""
    return _app(_DiesBefore)


def dies_after_publish() -> OpenAPI:
    """Die as of kill -9 between the confirmed publish and COMMIT."""
    return _app(_DiesAfter)


def without_publishing() -> OpenAPI:
    """Take every job for published, and publish none."""
    return _app(_Nowhere)
