"""Avatars: files under their content's hash in a folder that all replicas share, and the address in the account."""

import hashlib
import re
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from chassis.database import Database
from chassis.errors import NotFound
from user_service.accounts import locked_account
from user_service.attempt_limits import AttemptLimits, Bucket
from user_service.audit import Happening, record
from user_service.models import User
from user_service.pictures import Pictures

ADDRESS = "/api/v1/avatars/"
NAME = r"[0-9a-f]{64}\.webp"
_OWN_ADDRESS = re.compile(re.escape(ADDRESS) + f"({NAME})")
_UPLOADS, _UPLOADS_SECONDS = 20, 3600


class Avatars:
    """Sets and removes avatars.

    A name is the hash of the user's id and the picture, so no two users share a file. Files come and go while their
    user's row is locked, so a file that is in use cannot be removed.
    """

    def __init__(
        self,
        database: Database,
        pictures: Pictures,
        folder: Path,
        *,
        limits: AttemptLimits,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._pictures = pictures
        self._folder = folder.resolve()
        self._limits = limits
        self._clock = clock
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, user_id: int, data: bytes) -> User:
        """Make a picture a user's avatar and return the user.

        Raises:
            RequestInvalid: this is no picture that we take.
            TooManyRequests: 20 in an hour.
            Unauthenticated, DependencyUnavailable: the account is gone; a part is away.
        """
        self._limits.charge([Bucket(f"user:avatar:{user_id}", _UPLOADS, _UPLOADS_SECONDS)])
        drawn = self._pictures.redraw(data)
        name = f"{hashlib.sha256(f'{user_id} '.encode() + drawn).hexdigest()}.webp"
        with self._database.write() as db:
            user = locked_account(db, user_id)
            old, user.avatar_url = user.avatar_url, ADDRESS + name
            self._write(name, drawn)
            record(db, Happening("avatar_changed", user_id=user_id, actor_id=user_id), now=self._clock())
        self.remove_file(user_id, old)
        return user

    def read(self, name: str) -> bytes:
        """Return the picture of a name in the form of `NAME`.

        Raises:
            NotFound: it is nobody's avatar, or not any more.
        """
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError as error:
            raise NotFound from error

    def remove(self, user_id: int) -> None:
        """Take a user's avatar away; harmless if there is none."""
        with self._database.write() as db:
            user = locked_account(db, user_id)
            old, user.avatar_url = user.avatar_url, None
            if old:
                record(db, Happening("avatar_removed", user_id=user_id, actor_id=user_id), now=self._clock())
        self.remove_file(user_id, old)

    def remove_file(self, user_id: int, address: str | None) -> None:
        """Remove the file of a former avatar, unless it has become the user's avatar again. Others' addresses stay."""
        own = _OWN_ADDRESS.fullmatch(address or "")
        if own is None:
            return
        with self._database.write() as db:
            user = db.get_one(User, user_id, with_for_update=True)
            if user.avatar_url != address:
                (self._folder / own[1]).unlink(missing_ok=True)

    def _write(self, name: str, drawn: bytes) -> None:
        draft = self._folder / f".{name}.{uuid.uuid4().hex}"
        draft.write_bytes(drawn)
        draft.replace(self._folder / name)
