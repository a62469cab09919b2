"""Puts the captcha service together."""

import hmac
from hashlib import sha256

import svcs
from flask_openapi3 import OpenAPI
from redis import Redis

from captcha_service import routes
from captcha_service.answer_store import RedisAnswerStore
from captcha_service.atlas import Atlases
from captcha_service.captchas import ALPHABET, CLASSIC_ALPHABET, Captchas
from captcha_service.issue_limit import IssueLimit
from captcha_service.proof_of_work import ProofOfWork
from captcha_service.questions import CHARACTERS, Content
from captcha_service.settings import Settings
from captcha_service.style import CLASSIC, SUMS, TEXTS
from chassis.identity import InternalTokens
from chassis.logs import configure_logs
from chassis.redis_client import connect_redis
from chassis.self_test import check_start
from chassis.settings import load_settings
from chassis.tracing import export_spans
from chassis.web import create_api

SERVICE = "captcha-service"


def create_app(settings: Settings | None = None) -> OpenAPI:
    """Make the app; without settings it reads them from the environment and starts the logs, as gunicorn does."""
    is_served = settings is None
    if settings is None:
        settings = load_settings(Settings)
        configure_logs(SERVICE, settings.log_level, client_addresses=settings.log_client_addresses)
        export_spans(SERVICE, settings.otlp_endpoint)
        check_start(settings, redis_url=settings.redis_url)
    key = settings.internal_token_key.get_secret_value()
    app = create_api(
        __name__, service=SERVICE, tokens=InternalTokens(key), metrics_port=settings.metrics_port, static_folder=None
    )
    redis = connect_redis(settings.redis_url)
    # Separate keys for pictures and proofs of work, from the one secret that all processes of this service share.
    picture_key = hmac.digest(key.encode(), b"captcha pictures", sha256)
    proof_key = hmac.digest(key.encode(), b"captcha proofs of work", sha256)
    atlases = {
        Content.TEXT: Atlases(ALPHABET, style=TEXTS, key=picture_key),
        Content.ARITHMETIC: Atlases(CHARACTERS, style=SUMS, key=picture_key),
    }
    classic_atlases = Atlases(CLASSIC_ALPHABET, style=CLASSIC, key=picture_key)
    captchas = Captchas(
        answers=RedisAnswerStore(redis),
        atlases=atlases,
        classic_atlases=classic_atlases,
        picture_key=picture_key,
        content=settings.content,
    )
    svcs.flask.register_value(app, Settings, settings)
    svcs.flask.register_value(app, Redis, redis, ping=lambda client: client.ping())
    svcs.flask.register_value(app, Captchas, captchas)
    svcs.flask.register_value(app, ProofOfWork, ProofOfWork(redis=redis, key=proof_key, work_bits=settings.work_bits))
    limit = IssueLimit(
        redis, per_address_per_minute=settings.issues_per_ip_per_minute, per_minute=settings.issues_per_minute
    )
    svcs.flask.register_value(app, IssueLimit, limit)
    app.register_api(routes.api)
    if is_served:
        atlases[settings.content].prepare()
        classic_atlases.prepare()
    return app
