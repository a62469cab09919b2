"""Writes the failures of a flow to the audit log, those that an operator asks about."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from chassis.database import Database
from chassis.errors import CredentialsWrong, MobileTaken, SmsCodeExpired, SmsCodeWrong
from user_service.audit import Happening, record

# Not what was refused before anybody had to prove anything: limits, and fields of a wrong shape.
_TOLD = (CredentialsWrong, MobileTaken, SmsCodeExpired, SmsCodeWrong)


@contextmanager
def failures_recorded(database: Database, happening: Happening, *, clock: Callable[[], datetime]) -> Iterator[None]:
    """Record a happening that fails, in a transaction of its own, and let the failure go on."""
    try:
        yield
    except _TOLD as error:
        with database.write() as db:
            record(db, replace(happening, outcome=error.code), now=clock())
        raise
