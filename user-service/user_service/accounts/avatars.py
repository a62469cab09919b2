"""Avatars: pictures that are drawn again, stored under their content's hash in a folder that all replicas share.

A picture is drawn again from whatever a user sends, so that nothing of the file itself is stored or served.
"""

import hashlib
import re
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from chassis.database import Database
from chassis.errors import DependencyUnavailable, NotFound
from chassis.pictures import Pictures
from user_service.audit.log import AuditEntry, write_audit_entry
from user_service.limits.login_guard import Bucket, RateLimits
from user_service.models import User, locked_account

ADDRESS = "/api/v1/avatars/"
NAME = r"[0-9a-f]{64}\.webp"
_OWN_ADDRESS = re.compile(re.escape(ADDRESS) + f"({NAME})")
_UPLOADS, _UPLOADS_SECONDS = 20, 3600
_SIDE_PX = 256


def avatar_pictures(*, wait_seconds: float = 5.0) -> Pictures:
    """Draw the middle of a picture as a square."""
    return Pictures("avatar", side_px=_SIDE_PX, is_square=True, wait_seconds=wait_seconds)


class Avatars:
    """Sets and removes avatars.

    A file's name is the hash of the user's id and the picture, so no two users share a file. A file is written and
    removed while the user's row is locked, so a file in use is never removed.
    """

    def __init__(
        self,
        database: Database,
        pictures: Pictures,
        folder: Path,
        *,
        limits: RateLimits,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._pictures = pictures
        self._folder = folder.resolve()
        self._limits = limits
        self._clock = clock
        folder.mkdir(parents=True, exist_ok=True)

    def set_avatar(self, user_id: int, data: bytes) -> User:
        """Make a picture a user's avatar and return the user.

        Raises:
            RequestInvalid: the data is no picture of an accepted kind.
            TooManyRequests: more than 20 uploads in an hour.
            Unauthenticated, DependencyUnavailable: the account is gone; a part is away.
        """
        bucket = Bucket(f"user:avatar:{user_id}", _UPLOADS, _UPLOADS_SECONDS)
        self._limits.charge(bucket)
        try:
            return self._store_avatar(user_id, self._pictures.redraw(data).data)
        except DependencyUnavailable:
            self._limits.refund(bucket)
            raise

    def _store_avatar(self, user_id: int, drawn: bytes) -> User:
        name = f"{hashlib.sha256(f'{user_id} '.encode() + drawn).hexdigest()}.webp"
        with self._database.write() as db:
            user = locked_account(db, user_id)
            old, user.avatar_url = user.avatar_url, ADDRESS + name
            self._write_file(name, drawn)
            entry = AuditEntry("avatar_changed", user_id=user_id, actor_id=user_id)
            write_audit_entry(db, entry, now=self._clock())
        self.remove_file(user_id, old)
        return user

    def read_picture(self, name: str) -> bytes:
        """Return the picture of a name in the form of `NAME`.

        Raises:
            NotFound: no user has this avatar now.
        """
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError as error:
            raise NotFound from error

    def remove_avatar(self, user_id: int) -> None:
        """Remove a user's avatar; harmless if there is none."""
        with self._database.write() as db:
            user = locked_account(db, user_id)
            old, user.avatar_url = user.avatar_url, None
            if old:
                entry = AuditEntry("avatar_removed", user_id=user_id, actor_id=user_id)
                write_audit_entry(db, entry, now=self._clock())
        self.remove_file(user_id, old)

    def remove_file(self, user_id: int, address: str | None) -> None:
        """Remove the file of a former avatar, unless it is the user's avatar again. Foreign addresses have no file."""
        own = _OWN_ADDRESS.fullmatch(address or "")
        if own is None:
            return
        with self._database.write() as db:
            user = db.get_one(User, user_id, with_for_update=True)
            if user.avatar_url != address:
                (self._folder / own[1]).unlink(missing_ok=True)

    def _write_file(self, name: str, drawn: bytes) -> None:
        draft = self._folder / f".{name}.{uuid.uuid4().hex}"
        draft.write_bytes(drawn)
        draft.replace(self._folder / name)
