"""How user-service is put together."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import svcs
from flask import Response
from flask_openapi3 import OpenAPI
from redis import Redis

from chassis.database import Database, utc_now
from chassis.identity import InternalTokens
from chassis.logs import configure_logs
from chassis.redis_client import connect_redis
from chassis.service_client import ServiceClient
from chassis.settings import load_settings
from chassis.web import create_api
from user_service import admin_parts, commands
from user_service.account_parts import register_account_parts
from user_service.accounts import avatar_routes, routes
from user_service.accounts.accounts import Accounts
from user_service.accounts.registration import NewAccounts, Registration
from user_service.audit.failures import FailureLog
from user_service.clients.captcha_service import Captchas
from user_service.clients.sms_service import SmsCodes
from user_service.limits.failure_counts import FailureStreaks, Tarpit
from user_service.limits.login_guard import PasswordAttempts
from user_service.limits.rate_limits import AttemptLimits, Bounds
from user_service.passwords import routes as account_routes
from user_service.passwords.hashing import PROFILES, Passwords
from user_service.passwords.policy import PasswordPolicy
from user_service.passwords.thread_pool import parallel_hashes, usable_cores
from user_service.self_test import check_start
from user_service.sessions import commands as session_commands
from user_service.sessions import routes as session_routes
from user_service.sessions.bulk import Everybody
from user_service.sessions.reauthentication import Reauthentication
from user_service.sessions.sessions import Sessions
from user_service.sessions.sign_in import SignIn
from user_service.settings import Settings
from user_service.tokens import commands as key_commands
from user_service.tokens.access_tokens import AccessTokens
from user_service.tokens.commands import KeyCommands
from user_service.tokens.key_store import GivenKeys, KeyFile, SigningKeys
from user_service.tokens.refresh import Renewing
from user_service.tokens.refresh_tokens import Lifetimes, RefreshTokens
from user_service.tokens.revocation_replay import Herald
from user_service.tokens.revocations import Revocations

SERVICE = "user-service"
Clock = Callable[[], datetime]


def create_app(
    settings: Settings | None = None, *, clock: Clock = utc_now, sleep: Callable[[float], None] = time.sleep
) -> OpenAPI:
    """Make the app; without settings it reads them from the environment, as gunicorn does."""
    is_served = settings is None
    if settings is None:
        settings = load_settings(Settings)
        configure_logs(SERVICE, settings.log_level)
        check_start(settings)
    tokens = InternalTokens(settings.internal_token_key.get_secret_value())
    app = create_api(__name__, service=SERVICE, tokens=tokens, metrics_port=settings.metrics_port)
    database = Database(settings.database_url.get_secret_value())
    redis = connect_redis(settings.redis_url)
    svcs.flask.register_value(app, Database, database, ping=Database.is_up, on_registry_close=database.close)
    svcs.flask.register_value(app, Redis, redis, ping=Redis.ping, on_registry_close=redis.close)
    _register_parts(app, settings, tokens, clock, sleep)
    admin_parts.install(app, clock)
    app.register_api(routes.api)
    app.register_api(session_routes.api)
    app.register_api(account_routes.api)
    app.register_api(avatar_routes.api)
    app.after_request(_keep_out_of_caches)
    commands.install(app, settings)
    if is_served:
        # With the first request: after the fork, and never in a command of an operator.
        app.before_request(svcs.Container(svcs.flask.get_registry(app)).get(Herald).start)
    return app


def _register_parts(
    app: OpenAPI, settings: Settings, tokens: InternalTokens, clock: Clock, sleep: Callable[[float], None]
) -> None:
    parts = svcs.Container(svcs.flask.get_registry(app))
    database, redis = parts.get(Database, Redis)
    keys = _signing_keys(settings, clock)
    access_tokens = _access_tokens(settings, keys)
    revocations = Revocations(redis, token_seconds=settings.access_token_seconds)
    svcs.flask.register_value(app, Revocations, revocations)
    sessions, renewing = _sessions(settings, database, access_tokens, revocations, clock)
    sms_service = ServiceClient(settings.sms_service_url, name="sms-service", own_name=SERVICE, tokens=tokens)
    sms_codes = SmsCodes(sms_service)
    passwords, policy, limits = _passwords(settings), PasswordPolicy(), _limits(settings, redis)
    failures = FailureLog(database, redis, per_hour=settings.audit_failures_per_hour, clock=clock)
    captcha_service = ServiceClient(
        settings.captcha_service_url, name="captcha-service", own_name=SERVICE, tokens=tokens
    )
    attempts = PasswordAttempts(
        limits,
        FailureStreaks(redis),
        Captchas(captcha_service),
        Tarpit(places=settings.tarpit_places, sleep=sleep),
        most_in_a_row=settings.login_failures_in_a_row,
    )
    new_accounts = NewAccounts(database, sessions, clock=clock)
    registration = Registration(
        database, new_accounts, sms_codes, passwords=passwords, policy=policy, limits=limits, failures=failures
    )
    sign_in = SignIn(
        database, sessions, sms_codes, new_accounts=new_accounts, passwords=passwords, limits=limits,
        attempts=attempts, failures=failures, clock=clock,
    )  # fmt: skip
    reauthentication = Reauthentication(database, sessions, sms_codes, passwords=passwords, limits=limits, clock=clock)
    register_account_parts(
        app, database, sessions, sms_service, passwords=passwords, policy=policy, limits=limits, attempts=attempts,
        failures=failures, clock=clock, media_dir=settings.media_dir,
    )  # fmt: skip
    svcs.flask.register_value(app, AccessTokens, access_tokens)
    svcs.flask.register_value(app, Sessions, sessions)
    svcs.flask.register_value(app, Renewing, renewing)
    svcs.flask.register_value(app, Reauthentication, reauthentication)
    svcs.flask.register_value(app, Herald, Herald(database, revocations, clock=clock))
    all_users = Everybody(database, revocations, clock=clock)
    svcs.flask.register_value(app, Everybody, all_users)
    session_commands.install(app, sessions, all_users)
    token_seconds = settings.access_token_seconds
    key_commands.install(app, KeyCommands(keys, revocations, token_seconds=token_seconds, clock=clock))
    svcs.flask.register_value(app, Accounts, Accounts(database))
    svcs.flask.register_value(app, Registration, registration)
    svcs.flask.register_value(app, SignIn, sign_in)


def _signing_keys(settings: Settings, clock: Clock) -> SigningKeys:
    source = settings.signing_key_source()
    if isinstance(source, Path):
        return KeyFile(source, clock=clock)
    return GivenKeys(source.get_secret_value(), clock())


def _access_tokens(settings: Settings, keys: SigningKeys) -> AccessTokens:
    return AccessTokens(
        keys,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        lifetime_seconds=settings.access_token_seconds,
    )


def _sessions(
    settings: Settings, database: Database, access_tokens: AccessTokens, revocations: Revocations, clock: Clock
) -> tuple[Sessions, Renewing]:
    lifetimes = Lifetimes(
        absolute=timedelta(days=settings.session_absolute_days),
        idle=timedelta(days=settings.session_idle_days),
        grace=timedelta(seconds=settings.refresh_grace_seconds),
    )
    refresh_tokens = RefreshTokens(settings.refresh_token_key.get_secret_value(), lifetimes)
    sessions = Sessions(database, access_tokens, refresh_tokens, revocations, lifetimes=lifetimes, clock=clock)
    return sessions, Renewing(database, access_tokens, refresh_tokens, revocations, clock=clock)


def _passwords(settings: Settings) -> Passwords:
    return Passwords(
        PROFILES[settings.argon2_profile],
        settings.parsed_password_keys(),
        parallel=settings.parallel_hashes or parallel_hashes(usable_cores(), processes=settings.processes),
        wait_seconds=settings.hash_wait_seconds,
    )


def _limits(settings: Settings, redis: Redis) -> AttemptLimits:
    return AttemptLimits(
        redis,
        key=settings.refresh_token_key.get_secret_value(),
        bounds=Bounds(
            per_account=settings.login_failures_per_account_per_5_minutes,
            per_ip=settings.login_failures_per_ip_per_minute,
            code_checks_per_ip=settings.code_checks_per_ip_per_minute,
            captcha_after_per_account=settings.login_captcha_after_failures_per_account,
            captcha_after_per_ip=settings.login_captcha_after_failures_per_ip,
        ),
    )


def _keep_out_of_caches(answer: Response) -> Response:
    # Answers hold tokens and personal data; what may be cached says so itself.
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer
