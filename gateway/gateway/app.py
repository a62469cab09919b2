"""Puts the gateway together: the Flask app with the gateway's own endpoints, and the forwarding edge in front of it."""

import svcs
from flask import Flask
from redis import Redis

from chassis.identity import GATEWAY
from chassis.logs import configure_logs
from chassis.metrics import MetricsMiddleware
from chassis.problems import install_problems
from chassis.self_test import check_start
from chassis.settings import load_settings
from chassis.web import MAX_BODY_BYTES, install_health, install_observation
from gateway import routes
from gateway.classic import routes as classic
from gateway.classic.passport import Passport
from gateway.documents import MergedDocument
from gateway.edge import Edge
from gateway.incoming import Reception
from gateway.keys import PublicKeys
from gateway.parts import Parts, build_parts
from gateway.revocations import Revocations
from gateway.rules import RuleTable, Service
from gateway.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Build the app of one worker process and start its threads; ``app.extensions["parts"]`` stops them.

    The threads start here, so gunicorn must not preload the app.
    """
    if settings is None:
        settings = load_settings(Settings)
        configure_logs(GATEWAY, settings.log_level)
        check_start(settings, redis_url=settings.redis_url.get_secret_value())
    app = _flask_app()
    parts = build_parts(settings)
    _register(app, parts)
    routes.install(app)
    classic.install(app)
    edge = Edge(
        app.wsgi_app,
        rules=RuleTable(),
        reception=Reception(settings.trusted_proxies),
        forwarding=parts.forwarding,
    )
    app.wsgi_app = MetricsMiddleware(edge, settings.metrics_port)  # type: ignore[method-assign]
    app.extensions["parts"] = parts
    parts.start_threads()
    return app


def _flask_app() -> Flask:
    app = Flask(__name__, static_folder=None, template_folder="pages")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    # A redirect to a tidier path would be a second meaning of one address.
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = False
    svcs.flask.init_app(app)
    install_problems(app)
    install_observation(app, GATEWAY)
    install_health(app)
    return app


def _register(app: Flask, parts: Parts) -> None:
    service_clients, forwarding = parts.service_clients, parts.forwarding
    values: tuple[object, ...] = (
        Passport(
            captchas=service_clients[Service.CAPTCHA],
            sms=service_clients[Service.SMS],
            users=service_clients[Service.USER],
        ),
        forwarding.sessions,
        forwarding.cookies,
        forwarding.same_site,
        forwarding.limits,
        MergedDocument(service_clients),
        routes.Inbox(service_clients[Service.SMS]),
    )
    for value in values:
        svcs.flask.register_value(app, type(value), value)
    # Readiness is our own: a service that is away must not take the gateway away with it.
    svcs.flask.register_value(app, PublicKeys, parts.keys, ping=PublicKeys.check)
    svcs.flask.register_value(app, Revocations, parts.revocations, ping=Revocations.ping)
    svcs.flask.register_value(app, Redis, parts.redis, ping=Redis.ping)
