"""Puts user-service together: the app, its parts from the lowest to the highest, its routes and its commands."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import click
import svcs
from flask import Response
from flask_openapi3 import OpenAPI
from redis import Redis

from chassis.database import Database, utc_now
from chassis.dumps.command import install_import
from chassis.dumps.exporting import install_export
from chassis.identity import InternalTokens
from chassis.logs import configure_logs
from chassis.redis_client import connect_redis
from chassis.self_test import refuse_to_start, unsafe_surroundings, weak_secrets
from chassis.service_client import ServiceClient
from chassis.settings import load_settings, secret_keys
from chassis.tracing import export_spans
from chassis.web import create_api
from user_service.accounts import routes as account_routes
from user_service.accounts.accounts import Accounts
from user_service.accounts.avatars import Avatars, avatar_pictures
from user_service.accounts.deletion import Deletion
from user_service.accounts.export_sql import EXPORT_WARNING, WITHOUT_HASHES, WITHOUT_HASHES_HELP, exported_tables
from user_service.accounts.import_sql import ROLES_HELP, WITH_ROLES, import_files
from user_service.accounts.mobile_changes import MobileChanges
from user_service.accounts.registration import NewAccounts, Registration
from user_service.admin import routes as admin_routes
from user_service.admin.accounts import Administration
from user_service.admin.commands import admin_commands, audit_commands
from user_service.admin.roles import Roles
from user_service.audit.log import FailureLog
from user_service.audit.queries import AuditTrail
from user_service.clients.captcha_service import Captchas
from user_service.clients.sms_service import Notices, SmsCodes
from user_service.limits.code_proofs import CodeProofs
from user_service.limits.login_guard import LoginBounds, LoginDelay, LoginGuard, RateLimits
from user_service.passwords import routes as password_routes
from user_service.passwords.change import PasswordChanges
from user_service.passwords.hashing import PROFILES, Passwords, parallel_hashes, usable_cores
from user_service.passwords.policy import PasswordPolicy
from user_service.passwords.reset import PasswordResets
from user_service.sessions import routes as session_routes
from user_service.sessions.commands import session_commands
from user_service.sessions.recent_authentication import RecentAuthentication
from user_service.sessions.sessions import Sessions
from user_service.sessions.sign_in import SignIn
from user_service.settings import Settings
from user_service.tokens.access_tokens import AccessTokens
from user_service.tokens.commands import KeyRotation, key_commands
from user_service.tokens.key_ring import GivenKeys, KeyFile, SigningKeys, key_file_problems
from user_service.tokens.refresh import TokenRefresh
from user_service.tokens.refresh_tokens import Lifetimes, RefreshTokens
from user_service.tokens.revocation_replay import RevocationReplayer
from user_service.tokens.revocations import Revocations

SERVICE = "user-service"
MIGRATIONS = "user_service:migrations"
Clock = Callable[[], datetime]


def create_app(
    settings: Settings | None = None, *, clock: Clock = utc_now, sleep: Callable[[float], None] = time.sleep
) -> OpenAPI:
    """Make the app; without settings it reads them from the environment, as gunicorn does."""
    is_served = settings is None
    if settings is None:
        settings = load_settings(Settings)
        configure_logs(SERVICE, settings.log_level, client_addresses=settings.log_client_addresses)
        export_spans(SERVICE, settings.otlp_endpoint)
        check_start(settings)
    tokens = InternalTokens(settings.internal_token_key.get_secret_value())
    app = create_api(__name__, service=SERVICE, tokens=tokens, metrics_port=settings.metrics_port)
    shared = _shared_parts(settings, *_connect(app, settings), tokens, clock=clock, sleep=sleep)
    replayer = RevocationReplayer(shared.database, shared.sessions.revocations, clock=clock)
    for part in (replayer, *_flow_parts(shared)):
        svcs.flask.register_value(app, type(part), part)
    for routes in (account_routes, admin_routes, password_routes, session_routes):
        app.register_api(routes.api)
    app.after_request(_keep_out_of_caches)
    _add_commands(app, shared)
    if is_served:
        # Called once, with the first request: after the fork, and never in a command of an operator.
        app.before_request(cache(replayer.start))
    return app


def check_start(settings: Settings) -> None:
    """End the process, with every reason in one message, if it would not be safe to serve."""
    secrets = secret_keys(settings) | {"USER_PASSWORD_KEYS": settings.password_keys.get_secret_value()}
    source = settings.signing_key_source()
    file_problems = key_file_problems(source) if isinstance(source, Path) else []
    refuse_to_start([*weak_secrets(secrets), *file_problems, *unsafe_surroundings(settings.redis_url)])


def _connect(app: OpenAPI, settings: Settings) -> tuple[Database, Redis]:
    database, redis = Database(settings.database_url.get_secret_value()), connect_redis(settings.redis_url)
    svcs.flask.register_value(app, Database, database, ping=Database.is_up, on_registry_close=database.close)
    svcs.flask.register_value(app, Redis, redis, ping=Redis.ping, on_registry_close=redis.close)
    return database, redis


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """The parts that several flows use."""

    settings: Settings
    clock: Clock
    database: Database
    sessions: Sessions
    new_accounts: NewAccounts
    passwords: Passwords
    policy: PasswordPolicy
    limits: RateLimits
    guard: LoginGuard
    code_proofs: CodeProofs
    notices: Notices
    failures: FailureLog


def _shared_parts(
    settings: Settings,
    database: Database,
    redis: Redis,
    tokens: InternalTokens,
    *,
    clock: Clock,
    sleep: Callable[[float], None],
) -> _Shared:
    sms_service = ServiceClient(settings.sms_service_url, name="sms-service", own_name=SERVICE, tokens=tokens)
    limits, sessions = RateLimits(redis), _sessions(settings, database, redis, clock)
    checks_per_minute = settings.code_checks_per_ip_per_minute
    return _Shared(
        settings=settings,
        clock=clock,
        database=database,
        sessions=sessions,
        new_accounts=NewAccounts(database=database, begin_session=sessions.begin, clock=clock),
        passwords=_passwords(settings),
        policy=PasswordPolicy(),
        limits=limits,
        guard=_login_guard(settings, database, redis, tokens, sleep),
        code_proofs=CodeProofs(
            limits=limits, database=database, sms_codes=SmsCodes(sms_service), per_ip_per_minute=checks_per_minute
        ),
        notices=Notices(sms_service),
        failures=FailureLog(database=database, redis=redis, per_hour=settings.audit_failures_per_hour, clock=clock),
    )


def _sessions(settings: Settings, database: Database, redis: Redis, clock: Clock) -> Sessions:
    lifetimes = Lifetimes(
        absolute=timedelta(days=settings.session_absolute_days),
        idle=timedelta(days=settings.session_idle_days),
        repeatable=timedelta(seconds=settings.access_token_seconds),
    )
    return Sessions(
        database=database,
        access_tokens=AccessTokens(
            keys=_signing_keys(settings, clock),
            issuer=settings.token_issuer,
            audience=settings.token_audience,
            lifetime=timedelta(seconds=settings.access_token_seconds),
        ),
        refresh_tokens=RefreshTokens(settings.refresh_token_key.get_secret_value(), lifetimes),
        revocations=Revocations(redis, token_seconds=settings.access_token_seconds),
        lifetimes=lifetimes,
        clock=clock,
    )


def _signing_keys(settings: Settings, clock: Clock) -> SigningKeys:
    source = settings.signing_key_source()
    if isinstance(source, Path):
        return KeyFile(source, clock=clock)
    return GivenKeys(source.get_secret_value(), clock())


def _passwords(settings: Settings) -> Passwords:
    return Passwords(
        PROFILES[settings.argon2_profile],
        settings.parsed_password_keys(),
        parallel=settings.parallel_hashes or parallel_hashes(usable_cores(), processes=settings.processes),
        wait_seconds=settings.hash_wait_seconds,
    )


def _login_guard(
    settings: Settings, database: Database, redis: Redis, tokens: InternalTokens, sleep: Callable[[float], None]
) -> LoginGuard:
    captcha_service = ServiceClient(
        settings.captcha_service_url, name="captcha-service", own_name=SERVICE, tokens=tokens
    )
    bounds = LoginBounds(
        per_account=settings.login_failures_per_account_per_5_minutes,
        per_ip=settings.login_failures_per_ip_per_minute,
        captcha_after_per_account=settings.login_captcha_after_failures_per_account,
        captcha_after_per_ip=settings.login_captcha_after_failures_per_ip,
        failures_in_a_row=settings.login_failures_in_a_row,
    )
    delay = LoginDelay(slots=settings.tarpit_places, sleep=sleep)
    key = settings.refresh_token_key.get_secret_value()
    return LoginGuard(redis, database, Captchas(captcha_service), delay, key=key, bounds=bounds)


def _flow_parts(shared: _Shared) -> Iterator[object]:
    """Build the parts that the views ask for."""
    for build_parts in (_account_parts, _password_parts, _session_parts, _token_parts, _admin_parts):
        yield from build_parts(shared)


def _account_parts(shared: _Shared) -> tuple[object, ...]:
    database, clock, failures = shared.database, shared.clock, shared.failures
    folder = shared.settings.media_dir / "avatars"
    avatars = Avatars(database, avatar_pictures(), folder, limits=shared.limits, clock=clock)
    registration = Registration(
        database=database,
        new_accounts=shared.new_accounts,
        code_proofs=shared.code_proofs,
        passwords=shared.passwords,
        policy=shared.policy,
        failures=failures,
    )
    mobile_changes = MobileChanges(
        database=database, code_proofs=shared.code_proofs, notices=shared.notices, failures=failures, clock=clock
    )
    forget_sessions = shared.sessions.forget_all
    deletion = Deletion(database=database, forget_sessions=forget_sessions, avatars=avatars, clock=clock)
    return Accounts(database), avatars, registration, mobile_changes, deletion


def _password_parts(shared: _Shared) -> tuple[object, ...]:
    sessions = shared.sessions
    resets = PasswordResets(
        database=shared.database,
        revoke_sessions=lambda db, user_id: sessions.revoke_all(db, user_id, actor_id=user_id),
        code_proofs=shared.code_proofs,
        guard=shared.guard,
        notices=shared.notices,
        passwords=shared.passwords,
        policy=shared.policy,
        failures=shared.failures,
        clock=shared.clock,
    )
    changes = PasswordChanges(
        database=shared.database,
        revoke_other_sessions=sessions.revoke_others,
        notices=shared.notices,
        passwords=shared.passwords,
        policy=shared.policy,
        limits=shared.limits,
        failures=shared.failures,
        clock=shared.clock,
    )
    return resets, changes


def _session_parts(shared: _Shared) -> tuple[object, ...]:
    sessions = shared.sessions
    sign_in = SignIn(
        database=shared.database,
        sessions=sessions,
        new_accounts=shared.new_accounts,
        passwords=shared.passwords,
        policy=shared.policy,
        code_proofs=shared.code_proofs,
        guard=shared.guard,
        failures=shared.failures,
        clock=shared.clock,
    )
    recent_authentication = RecentAuthentication(
        database=shared.database,
        sessions=sessions,
        passwords=shared.passwords,
        policy=shared.policy,
        code_proofs=shared.code_proofs,
        limits=shared.limits,
        guard=shared.guard,
        clock=shared.clock,
    )
    return sign_in, recent_authentication


def _token_parts(shared: _Shared) -> tuple[object, ...]:
    sessions = shared.sessions
    token_refresh = TokenRefresh(
        database=shared.database,
        access_tokens=sessions.access_tokens,
        refresh_tokens=sessions.refresh_tokens,
        revocations=sessions.revocations,
        clock=shared.clock,
    )
    return sessions, sessions.access_tokens, sessions.revocations, token_refresh


def _admin_parts(shared: _Shared) -> tuple[object, ...]:
    administration = Administration(database=shared.database, sessions=shared.sessions, clock=shared.clock)
    return administration, AuditTrail(database=shared.database, clock=shared.clock)


def _add_commands(app: OpenAPI, shared: _Shared) -> None:
    database, sessions, clock = shared.database, shared.sessions, shared.clock
    rotation = KeyRotation(
        keys=sessions.access_tokens.keys,
        revocations=sessions.revocations,
        token_seconds=shared.settings.access_token_seconds,
        clock=clock,
    )
    url = shared.settings.database_url.get_secret_value()
    install_import(app, url, import_files, switches={WITH_ROLES: ROLES_HELP})
    install_export(app, url, exported_tables, warning=EXPORT_WARNING, switches={WITHOUT_HASHES: WITHOUT_HASHES_HELP})
    app.cli.add_command(_migrate_command(url))
    app.cli.add_command(session_commands(sessions, clock=clock))
    app.cli.add_command(key_commands(rotation))
    app.cli.add_command(admin_commands(Roles(database=database, sessions=sessions, clock=clock)))
    app.cli.add_command(audit_commands(AuditTrail(database=database, clock=clock)))


def _migrate_command(url: str) -> click.Command:
    @click.command("migrate")
    @click.option("--revision", default="head", show_default=True, help="A revision id, or base to undo all.")
    def migrate_command(revision: str) -> None:
        """Bring the database to a revision."""
        from chassis.migrations import migrate  # Alembic, which no serving process needs.

        migrate(url, scripts=MIGRATIONS, revision=revision)
        click.echo(f"The user database is at {revision}.")

    return migrate_command


def _keep_out_of_caches(answer: Response) -> Response:
    # Answers hold tokens and personal data. An answer that may be cached has a Cache-Control of its own.
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer
