"""Puts the gateway together: the Flask app with the gateway's own endpoints, and the proxy in front of it."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any  # JSON of another service.

import svcs
from flask import Flask
from redis import Redis

from chassis.errors import DependencyUnavailable
from chassis.identity import GATEWAY, InternalTokens
from chassis.logs import configure_logs
from chassis.metrics import MetricsMiddleware
from chassis.problems import install_problems
from chassis.redis_client import connect_redis
from chassis.self_test import check_start
from chassis.service_client import READ_TIMEOUT_SECONDS, ServiceClient
from chassis.settings import fail_to_boot, load_settings
from chassis.tracing import export_spans
from chassis.web import MAX_BODY_BYTES, StrictJson, install_health, install_observation
from gateway.auth.authentication import Authentication
from gateway.auth.clocks import UserServiceClock
from gateway.auth.cookies import SessionCookies
from gateway.auth.csrf import SameSite
from gateway.auth.identity_tokens import IdentityKeys, IdentityTokens
from gateway.auth.public_keys import PublicKeys
from gateway.auth.revocations import Revocations
from gateway.auth.token_cache import TokenCache
from gateway.auth.token_refresh import TokenRefresh
from gateway.auth.verifier import TokenVerifier
from gateway.cache.cache import MicroCache
from gateway.cache.fills import RefreshPool
from gateway.classic import routes as classic
from gateway.classic.api import ClassicApi
from gateway.commands import gateway_commands
from gateway.docs import routes
from gateway.docs.additions import Additions
from gateway.docs.foreign_documents import ForeignDocument
from gateway.docs.openapi import MergedDocument
from gateway.docs.routes import Inbox
from gateway.proxy.cors import CrossOrigin
from gateway.proxy.error_pages import install_error_pages
from gateway.proxy.forward_auth import ForwardAuth
from gateway.proxy.forwarded import TrustedProxies
from gateway.proxy.forwarder import Forwarder
from gateway.proxy.proxy import Proxy
from gateway.proxy.responses import ResponsePolicy
from gateway.proxy.service_identity import ServiceIdentity, write_internal_token
from gateway.routing.limits import RequestLimits
from gateway.routing.reload import RoutesInForce, RoutesLoader
from gateway.routing.route_files import Routes, RoutesRefused, build_routes
from gateway.routing.rules import Limit, Service
from gateway.settings import Settings
from gateway.upstreams.adapter import UpstreamAdapter
from gateway.upstreams.health_checks import HealthChecks
from gateway.upstreams.names import ServiceName
from gateway.upstreams.upstream import Timeouts, Upstream

# Longer than the revocation thread waits inside Redis.
_FEED_TIMEOUT_SECONDS = 3.0
# Longer than the 10 seconds for which user-service delays the login of a mobile with many failures.
_LOGIN_TIMEOUT_SECONDS = 15.0
# For how long a starting worker waits for user-service and Redis; it starts without them, too.
_FIRST_READ_SECONDS = 2.0


class Threads:
    """The threads of a worker process, beside those that answer requests."""

    def __init__(
        self, keys: PublicKeys, revocations: Revocations, upstreams: Iterable[Upstream], cache: MicroCache | None
    ) -> None:
        self._upstreams = tuple(upstreams)
        self._needed = (keys, revocations)
        names = (name for upstream in self._upstreams for name in upstream.names)
        refreshes = () if cache is None else (cache.refreshes,)
        self._threads: tuple[ServiceName | HealthChecks | PublicKeys | Revocations | RefreshPool, ...]
        self._threads = (*names, HealthChecks(self._upstreams), keys, revocations, *refreshes)

    def start(self) -> None:
        """Start all, and wait a moment for what signed-in users need: a reload would refuse their first requests."""
        for thread in self._threads:
            thread.start()
        end = time.monotonic() + _FIRST_READ_SECONDS
        while not self._is_ready() and time.monotonic() < end:
            time.sleep(0.01)

    def stop(self) -> None:
        """End all and wait for them; no connection stays open."""
        for thread in reversed(self._threads):
            thread.stop()
        for upstream in self._upstreams:
            upstream.close()

    def _is_ready(self) -> bool:
        try:
            for needed in self._needed:
                needed.ping()
        except DependencyUnavailable:
            return False
        return True


def create_app(settings: Settings | None = None) -> Flask:
    """Build the app of one worker process and start its threads; ``app.extensions["threads"]`` stops them.

    The threads start here, so gunicorn must not preload the app.
    """
    if settings is None:
        settings = load_settings(Settings)
        configure_logs(GATEWAY, settings.log_level, client_addresses=settings.log_client_addresses)
        export_spans(GATEWAY, settings.otlp_endpoint)
        check_start(settings, redis_url=settings.redis_url.get_secret_value())
    identity_keys = _read_identity_keys(settings)
    in_force = _load_routes(settings, can_sign=bool(identity_keys.keys))
    proxies = TrustedProxies(settings.trusted_proxies)
    user_service_clock = UserServiceClock()
    app = _flask_app(lambda: proxies.remarks() | user_service_clock.remarks() | in_force.remarks())
    tokens = InternalTokens(settings.internal_token_key.get_secret_value())
    redis = connect_redis(settings.redis_url.get_secret_value(), timeout_seconds=_FEED_TIMEOUT_SECONDS)
    upstreams = _upstreams(settings, in_force.routes)
    clients = _service_clients(upstreams, tokens)
    keys = PublicKeys(lambda: _fetch_keys(clients[Service.USER], user_service_clock))
    revocations = Revocations(
        redis,
        stale_seconds=settings.revocations_stale_seconds,
        lost_seconds=settings.revocations_lost_seconds,
        on_new_keys=keys.refresh_soon,
    )
    policy = ResponsePolicy(strict_transport=settings.cookies_secure)
    cross_origin = CrossOrigin(settings.cors_origins, settings.allowed_origins) if settings.cors_origins else None
    same_site = SameSite(settings.allowed_origins, cross_origin.allows if cross_origin else lambda _: False)
    authentication = _authentication(settings, keys, revocations, clients[Service.USER], same_site=same_site)
    cache = _cache(settings, authentication.cookies, policy)
    forwarder = Forwarder(
        upstreams=upstreams,
        authentication=authentication,
        cookies=authentication.cookies,
        same_site=authentication.same_site,
        limits=RequestLimits(settings),
        service_identity=_service_identity(tokens, identity_keys, in_force.routes),
        cache=cache,
    )
    _register(app, clients, forwarder)
    forward_auth = ForwardAuth(
        authentication=authentication,
        service_identity=forwarder.service_identity,
        proxies=proxies,
        sign_in_url=settings.sign_in_url,
        allowed_origins=settings.allowed_origins,
    )
    svcs.flask.register_value(app, ForwardAuth, forward_auth)
    additions = Additions(
        limits={limit: getattr(settings, f"{limit}_per_ip_per_minute") for limit in Limit},
        session_cookie=authentication.cookies.access_name,
        has_cache=cache is not None,
        has_cors=cross_origin is not None,
    )
    document = _merged_document(clients, upstreams, in_force.routes, additions)
    for value in (in_force.routes, identity_keys, document):
        svcs.flask.register_value(app, type(value), value)
    # Readiness is our own: a service that is away must not take the gateway away with it.
    svcs.flask.register_value(app, PublicKeys, keys, ping=PublicKeys.ping)
    svcs.flask.register_value(app, Revocations, revocations, ping=Revocations.ping)
    svcs.flask.register_value(app, Redis, redis, ping=Redis.ping)
    proxy = Proxy(
        flask=app.wsgi_app,
        error_pages=install_error_pages(app),
        policy=policy,
        rules=in_force.routes.table,
        proxies=proxies,
        forwarder=forwarder,
        cache=cache,
        cross_origin=cross_origin,
    )
    app.wsgi_app = MetricsMiddleware(proxy, settings.metrics_port)  # type: ignore[method-assign]
    app.extensions["threads"] = threads = Threads(keys, revocations, upstreams.values(), cache)
    threads.start()
    return app


def _flask_app(remarks: Callable[[], dict[str, str]]) -> Flask:
    app = Flask(__name__, static_folder=None, template_folder="pages")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json = StrictJson(app)
    # A redirect to a tidier path would be a second meaning of one address.
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = False
    svcs.flask.init_app(app)
    install_problems(app)
    install_observation(app, GATEWAY)
    install_health(app, remarks)
    app.register_blueprint(routes.api)
    app.register_blueprint(classic.api)
    app.cli.add_command(gateway_commands())
    return app


def _read_identity_keys(settings: Settings) -> IdentityKeys:
    pems = settings.identity_keys.get_secret_value() if settings.identity_keys else ""
    try:
        return IdentityKeys(pems)
    except ValueError as error:
        fail_to_boot("Settings are missing or wrong:", [f"GATEWAY_IDENTITY_KEYS: {error}"])


def _load_routes(settings: Settings, *, can_sign: bool) -> RoutesInForce:
    loader = RoutesLoader(
        paths=settings.routes_file,
        build=partial(build_routes, can_sign=can_sign),
        folder=settings.workers_dir,
        reload=settings.reloads,
    )
    try:
        return loader.load()
    except RoutesRefused as refused:
        fail_to_boot("The routes files are wrong:", map(str, refused.problems))


def _authentication(
    settings: Settings, keys: PublicKeys, revocations: Revocations, users: ServiceClient, *, same_site: SameSite
) -> Authentication:
    return Authentication(
        verifier=TokenVerifier(keys, issuer=settings.token_issuer, audience=settings.token_audience),
        revocations=revocations,
        token_refresh=TokenRefresh(users),
        cookies=SessionCookies(is_secure=settings.cookies_secure, session_days=settings.session_days),
        same_site=same_site,
    )


def _cache(settings: Settings, cookies: SessionCookies, policy: ResponsePolicy) -> MicroCache | None:
    return MicroCache(most_bytes=settings.cache_bytes, cookies=cookies, policy=policy) if settings.cache_bytes else None


def _upstreams(settings: Settings, routes: Routes) -> dict[str, Upstream]:
    timeouts = Timeouts(
        connect=settings.upstream_connect_seconds,
        read=settings.upstream_read_seconds,
        body=settings.upstream_body_seconds,
    )
    own = {
        Service.CAPTCHA: settings.captcha_service_url,
        Service.SMS: settings.sms_service_url,
        Service.USER: settings.user_service_url,
        Service.NEWS: settings.news_service_url,
    }
    upstreams = {
        str(service): Upstream(service, addresses, timeouts=timeouts, threads=settings.threads)
        for service, addresses in own.items()
    }
    for name, entry in routes.services.items():
        own_timeouts = replace(timeouts, read=entry.timeout_seconds or timeouts.read)
        upstreams[name] = Upstream(name, entry.urls, timeouts=own_timeouts, threads=settings.threads)
    return upstreams


def _service_identity(tokens: InternalTokens, keys: IdentityKeys, routes: Routes) -> ServiceIdentity:
    return ServiceIdentity(
        internal_tokens=TokenCache(partial(write_internal_token, tokens)),
        identity_tokens=TokenCache(IdentityTokens(keys).write_token),
        forms={name: entry.identity for name, entry in routes.services.items()},
    )


def _service_clients(upstreams: Mapping[str, Upstream], tokens: InternalTokens) -> dict[Service, ServiceClient]:
    """Make the clients for the calls of the gateway's own."""
    return {
        service: ServiceClient(
            f"http://{service}",
            name=service,
            own_name=GATEWAY,
            tokens=tokens,
            read_timeout_seconds=_LOGIN_TIMEOUT_SECONDS if service is Service.USER else READ_TIMEOUT_SECONDS,
            adapter=UpstreamAdapter(upstreams[service]),
        )
        for service in Service
    }


def _merged_document(
    clients: Mapping[Service, ServiceClient], upstreams: Mapping[str, Upstream], routes: Routes, additions: Additions
) -> MergedDocument:
    ours = {str(service): partial(client.call, "GET", "/internal/openapi.json") for service, client in clients.items()}
    theirs = {
        name: ForeignDocument(upstreams[name], entry.openapi, routes.table).fetch
        for name, entry in routes.services.items()
        if entry.openapi is not None
    }
    return MergedDocument(
        ours | theirs, table=routes.table, additions=additions, has_inbox=Inbox(clients[Service.SMS]).is_on
    )


def _fetch_keys(users: ServiceClient, clock: UserServiceClock) -> Any:
    response = users.request("GET", "/.well-known/jwks.json")
    clock.note_date(response.headers.get("Date"))
    return response.json()


def _register(app: Flask, clients: dict[Service, ServiceClient], forwarder: Forwarder) -> None:
    values: tuple[object, ...] = (
        ClassicApi(captchas=clients[Service.CAPTCHA], sms=clients[Service.SMS], users=clients[Service.USER]),
        forwarder.authentication,
        forwarder.cookies,
        forwarder.same_site,
        forwarder.limits,
        Inbox(clients[Service.SMS]),
    )
    for value in values:
        svcs.flask.register_value(app, type(value), value)
