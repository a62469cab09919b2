"""How the account's flows are put together: part of `app.py`."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import svcs
from flask import Flask

from chassis.database import Database
from chassis.neighbours import Neighbour
from user_service.attempt_limits import AttemptLimits
from user_service.avatars import Avatars
from user_service.deletion import Deletion
from user_service.failure_log import FailureLog
from user_service.mobile_changes import MobileChanges
from user_service.notices import Notices
from user_service.password_attempts import PasswordAttempts
from user_service.password_changes import PasswordChanges
from user_service.password_policy import PasswordPolicy
from user_service.password_resets import PasswordResets
from user_service.passwords import Passwords
from user_service.pictures import Pictures
from user_service.sessions import Sessions
from user_service.sms_codes import SmsCodes


def register_account_parts(
    app: Flask,
    database: Database,
    sessions: Sessions,
    sms_service: Neighbour,
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
