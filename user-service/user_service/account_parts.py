"""How the account's flows are put together: part of `app.py`."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import svcs
from flask import Flask

from chassis.database import Database
from chassis.service_client import ServiceClient
from user_service.accounts.avatars import Avatars, Pictures
from user_service.accounts.deletion import Deletion
from user_service.accounts.mobile_changes import MobileChanges
from user_service.accounts.notices import Notices
from user_service.audit.failures import FailureLog
from user_service.clients.sms_service import SmsCodes
from user_service.limits.login_guard import PasswordAttempts
from user_service.limits.rate_limits import AttemptLimits
from user_service.passwords.change import PasswordChanges
from user_service.passwords.hashing import Passwords
from user_service.passwords.policy import PasswordPolicy
from user_service.passwords.reset import PasswordResets
from user_service.sessions.sessions import Sessions


def register_account_parts(
    app: Flask,
    database: Database,
    sessions: Sessions,
    sms_service: ServiceClient,
    *,
    passwords: Passwords,
    policy: PasswordPolicy,
    limits: AttemptLimits,
    attempts: PasswordAttempts,
    failures: FailureLog,
    clock: Callable[[], datetime],
    media_dir: Path,
) -> None:
    """Make the parts that the views of `account_routes` ask for."""
    codes, notices = SmsCodes(sms_service), Notices(sms_service)
    avatars = Avatars(database, Pictures(), media_dir / "avatars", limits=limits, clock=clock)
    resets = PasswordResets(
        database, sessions, codes, notices, passwords=passwords, policy=policy, limits=limits, attempts=attempts,
        failures=failures, clock=clock,
    )  # fmt: skip
    changes = PasswordChanges(
        database, sessions, notices, passwords=passwords, policy=policy, limits=limits, failures=failures, clock=clock
    )
    mobile_changes = MobileChanges(database, codes, notices, limits=limits, failures=failures, clock=clock)
    svcs.flask.register_value(app, PasswordResets, resets)
    svcs.flask.register_value(app, PasswordChanges, changes)
    svcs.flask.register_value(app, MobileChanges, mobile_changes)
    svcs.flask.register_value(app, Deletion, Deletion(database, sessions, avatars, clock=clock))
    svcs.flask.register_value(app, Avatars, avatars)
