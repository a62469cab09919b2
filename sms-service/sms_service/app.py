"""Puts the API together: ``flask --app sms_service.app``, ``gunicorn 'sms_service.app:create_app()'``."""

import svcs
from flask_openapi3 import OpenAPI
from redis import Redis

from chassis.identity import InternalTokens
from chassis.logs import configure_logs
from chassis.redis_client import connect_redis
from chassis.self_test import check_start
from chassis.service_client import ServiceClient
from chassis.settings import load_settings
from chassis.tracing import export_spans
from chassis.web import create_api
from sms_service.api.idempotency import IdempotencyKeys
from sms_service.api.receipts import Receipts
from sms_service.api.routes import api
from sms_service.codes.code_requests import CaptchaClient, CodeRequests
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.notices import Notices
from sms_service.codes.recipients import Recipients
from sms_service.codes.sms_codes import SmsCodes
from sms_service.commands import sms
from sms_service.providers.factory import make_inbox, make_receipt_readers
from sms_service.providers.inbox import Inbox
from sms_service.queue.factory import make_publisher
from sms_service.queue.interface import JobPublisher
from sms_service.routing.deliverability import Deliverability
from sms_service.settings import Settings

SERVICE = "sms-service"


def create_app(settings: Settings | None = None, *, publisher: JobPublisher | None = None) -> OpenAPI:
    """Make the app; without settings they are read from the environment, without a publisher from the settings."""
    if settings is None:
        settings = load_settings(Settings)
        configure_logs(SERVICE, settings.log_level, client_addresses=settings.log_client_addresses)
        export_spans(SERVICE, settings.otlp_endpoint)
        check_start(settings, redis_url=settings.redis_url)
    tokens = InternalTokens(settings.internal_token_key.get_secret_value())
    app = create_api(__name__, service=SERVICE, tokens=tokens, metrics_port=settings.metrics_port, static_folder=None)
    redis = connect_redis(settings.redis_url)
    keys = CodeKeys(settings.code_key.get_secret_value())
    codes = SmsCodes(redis, keys, settings)
    publisher = publisher or make_publisher(settings)
    svcs.flask.register_value(app, Settings, settings)
    svcs.flask.register_value(app, Redis, redis)
    svcs.flask.register_value(app, SmsCodes, codes, ping=lambda _: redis.ping())
    svcs.flask.register_value(app, JobPublisher, publisher, ping=_check_publisher)
    deliverability = Deliverability(redis=redis, routes=settings.routes, code_ttl_seconds=settings.code_ttl_seconds)
    svcs.flask.register_value(app, Deliverability, deliverability, ping=Deliverability.check_workers)
    notices = Notices(redis, keys, settings, publisher=publisher, deliverability=deliverability)
    svcs.flask.register_value(app, Notices, notices)
    captcha_service = ServiceClient(
        settings.captcha_service_url, name="captcha-service", own_name=SERVICE, tokens=tokens
    )
    requests = CodeRequests(
        captchas=CaptchaClient(captcha_service),
        codes=codes,
        publisher=publisher,
        deliverability=deliverability,
    )
    svcs.flask.register_value(app, CodeRequests, requests)
    _register_stores(app, settings, redis, keys)
    app.register_api(api)
    app.cli.add_command(sms)
    return app


def _register_stores(app: OpenAPI, settings: Settings, redis: Redis, keys: CodeKeys) -> None:
    svcs.flask.register_value(app, Recipients, Recipients(settings.countries, settings.test_mobiles))
    idempotency = IdempotencyKeys(redis, keys, keep_hours=settings.idempotency_hours)
    svcs.flask.register_value(app, IdempotencyKeys, idempotency)
    secret = settings.receipts_secret
    receipts = Receipts(redis, make_receipt_readers(settings), secret=secret.get_secret_value() if secret else None)
    svcs.flask.register_value(app, Receipts, receipts)
    if settings.has_inbox:
        svcs.flask.register_value(app, Inbox, make_inbox(settings, redis, keys))


def _check_publisher(publisher: JobPublisher) -> None:
    if not publisher.is_up():
        raise ConnectionError("the queue takes no jobs now")
