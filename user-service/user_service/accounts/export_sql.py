"""Writes the accounts back as the classic table ``info_user``: personal data, with password hashes as they are."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any  # Rows of differing columns.

from sqlalchemy import Row, select

from chassis.database import Database
from chassis.dumps.writing import ClassicTable, read_in_batches
from user_service.models import User
from user_service.passwords.hashing import is_keyed

WITHOUT_HASHES = "without_hashes"
WITHOUT_HASHES_HELP = "Write no password hashes: nobody can sign in there with a password before setting a new one."
EXPORT_WARNING = (
    "The output holds personal data: mobiles, and password hashes unless --without-hashes is given. Keep it as you "
    "keep the database, and remove it when nobody needs it any more."
)
NO_PASSWORD = "!"  # No form of any hash.
# Hashes of ours are longer than the classic's 128 characters, and numbers of other countries than its 11.
_DEFINITION = """\
  `create_time` datetime(6) DEFAULT NULL,
  `update_time` datetime(6) DEFAULT NULL,
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `nick_name` varchar(32) COLLATE utf8mb4_bin NOT NULL,
  `password_hash` varchar(255) NOT NULL,
  `mobile` varchar(16) NOT NULL,
  `avatar_url` varchar(256) DEFAULT NULL,
  `last_login` datetime(6) DEFAULT NULL,
  `is_admin` tinyint(1) DEFAULT NULL,
  `signature` varchar(512) DEFAULT NULL,
  `gender` enum('MAN','WOMAN') DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `mobile` (`mobile`),
  UNIQUE KEY `nick_name` (`nick_name`)"""
_CHINA = "+86"


def exported_tables(
    database: Database, now: datetime, notes: Counter[str], switches: frozenset[str]
) -> list[ClassicTable]:
    """Return the table to write; ``notes`` counts what the classic cannot hold, while its rows are read."""
    with_hashes = WITHOUT_HASHES not in switches
    return [ClassicTable("info_user", _DEFINITION, lambda: _accounts(database, now, notes, with_hashes=with_hashes))]


def _accounts(
    database: Database, now: datetime, notes: Counter[str], *, with_hashes: bool
) -> Iterator[tuple[Any, ...]]:
    columns = [column for column in User.__table__.columns if column.name != "id"]
    for row in read_in_batches(database, select(User.__table__.c.id, *columns), (User.__table__.c.id,)):
        _note(row, now, notes)
        is_banned = row.banned_until is not None and row.banned_until > now
        yield (
            *(row.create_time, row.update_time, row.id, row.nick_name),
            row.password_hash if row.password_hash and with_hashes and not is_banned else NO_PASSWORD,
            row.mobile.removeprefix(_CHINA),
            *(row.avatar_url, row.last_login),
            # The role of an account whose password must be set anew is not in force.
            None if row.is_admin is None else row.is_admin and not row.must_reset_password,
            *(row.signature, row.gender),
        )


def _note(account: Row[Any], now: datetime, notes: Counter[str]) -> None:
    if account.deleted_at is not None:
        notes["deleted accounts are placeholders, which articles and comments name"] += 1
    if account.banned_until is not None and account.banned_until > now:
        notes["banned accounts have no password there, because the classic knows no bans"] += 1
    if is_keyed(account.password_hash):
        notes["password hashes need USER_PASSWORD_KEYS, and no classic program can check them"] += 1
