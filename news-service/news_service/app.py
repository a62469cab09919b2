"""Puts the news service together."""

import svcs
from flask_openapi3 import OpenAPI
from redis import Redis

from chassis.database import Database
from chassis.identity import InternalTokens
from chassis.logs import configure_logs
from chassis.redis_client import connect_redis
from chassis.self_test import check_start
from chassis.service_client import ServiceClient
from chassis.settings import load_settings
from chassis.tracing import export_spans
from chassis.web import create_api
from news_service.articles import routes
from news_service.articles.articles import Articles
from news_service.articles.view_flush import FlushThread, ViewFlush
from news_service.articles.views import Views
from news_service.clients.user_service import Users
from news_service.commands import install_commands
from news_service.pages.routes import install_pages
from news_service.settings import Settings

SERVICE = "news-service"


def create_app(settings: Settings | None = None) -> OpenAPI:
    """Build the app; without settings it reads them from the environment and configures the logs."""
    if settings is None:
        settings = load_settings(Settings)
        configure_logs(SERVICE, settings.log_level, client_addresses=settings.log_client_addresses)
        export_spans(SERVICE, settings.otlp_endpoint)
        check_start(settings, redis_url=settings.redis_url)
    tokens = InternalTokens(settings.internal_token_key.get_secret_value())
    app = create_api(
        __name__,
        service=SERVICE,
        tokens=tokens,
        metrics_port=settings.metrics_port,
        template_folder="pages/templates",
        static_folder=None,  # The pages serve their static files themselves, under names with a content hash.
    )
    user_service = ServiceClient(settings.user_service_url, name="user-service", own_name=SERVICE, tokens=tokens)
    _register_services(app, settings, user_service)
    app.register_api(routes.api)
    install_pages(app, settings.image_hosts)
    install_commands(app, settings, user_service)
    return app


def _register_services(app: OpenAPI, settings: Settings, user_service: ServiceClient) -> None:
    database = Database(settings.database_url.get_secret_value())
    redis = connect_redis(settings.redis_url)
    svcs.flask.register_value(app, Database, database, ping=Database.is_up, on_registry_close=database.close)
    svcs.flask.register_value(app, Redis, redis, ping=Redis.ping, on_registry_close=redis.close)
    svcs.flask.register_value(app, Articles, Articles(database))
    svcs.flask.register_value(app, Views, Views(redis=redis, once_per_seconds=settings.view_counts_once_per_seconds))
    # No ping: the service answers pages without user-service, too.
    svcs.flask.register_value(app, Users, Users(user_service))
    _flush_views(app, FlushThread(ViewFlush(database, redis), every_seconds=settings.view_flush_seconds))


def _flush_views(app: OpenAPI, thread: FlushThread) -> None:
    svcs.flask.register_value(app, FlushThread, thread, on_registry_close=thread.stop)
    # The first request starts the thread: a command has none, and every worker has its own after the fork.
    app.before_request(thread.start)
