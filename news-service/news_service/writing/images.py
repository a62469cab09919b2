"""Pictures that users upload for articles: drawn again, and stored under the hash of what was drawn."""

import hashlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from redis import Redis
from sqlalchemy.exc import IntegrityError

from chassis.database import Database, utc_now
from chassis.errors import DependencyUnavailable, NotFound, TooManyRequests
from chassis.pictures import DrawnPicture, Pictures
from chassis.redis_client import redis_errors
from news_service.writing.tables import NewsImage

ADDRESS = "/images/"
SIDE_PX = 1600
_NAME = re.compile(r"[0-9a-f]{64}\.webp")
_KEPT_SECONDS = 2 * 24 * 3600


class ImageFolder:
    """Files in a folder that all replicas share. A file appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write_image(self, name: str, data: bytes) -> None:
        """Store a file; it may exist already, with the same content.

        Raises:
            DependencyUnavailable: the folder cannot be written.
        """
        draft = self._folder / f".{name}.{uuid.uuid4().hex}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(data)
            draft.replace(self._folder / name)
        except OSError as error:
            raise DependencyUnavailable("The picture cannot be stored.") from error

    def read_image(self, name: str) -> bytes:
        """Return a file; raises NotFound."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError as error:
            raise NotFound from error


@dataclass(frozen=True, kw_only=True)
class Images:
    """Stores pictures, and notes who uploaded each first. Equal pictures are one file."""

    database: Database
    redis: Redis
    pictures: Pictures
    folder: ImageFolder
    most_per_day: int
    clock: Callable[[], datetime] = utc_now

    def upload(self, user_id: int, data: bytes) -> NewsImage:
        """Draw a picture again, store it, and return its row.

        Raises:
            RequestInvalid: as in `Pictures.redraw`.
            TooManyRequests: the user has sent too many pictures today (UTC), whatever became of them.
            DependencyUnavailable: a part is away.
        """
        self._charge(user_id)
        drawn = self.pictures.redraw(data)
        name = f"{hashlib.sha256(drawn.data).hexdigest()}.webp"
        self.folder.write_image(name, drawn.data)  # Before the row, so that no row lacks its file.
        return self._note(name, drawn, user_id)

    def read(self, name: str) -> bytes:
        """Return a picture.

        Raises:
            NotFound: there is none of that name, or it is no name of ours.
        """
        if not _NAME.fullmatch(name):
            raise NotFound
        return self.folder.read_image(name)

    def _note(self, name: str, drawn: DrawnPicture, user_id: int) -> NewsImage:
        row = NewsImage(
            name=name,
            user_id=user_id,
            uploaded_at=self.clock(),
            bytes=len(drawn.data),
            width=drawn.width_px,
            height=drawn.height_px,
        )
        try:
            with self.database.write() as session:
                known = session.get(NewsImage, name)
                if known is None:
                    session.add(row)
        except IntegrityError:
            known = None  # The same picture came twice at once, and the other row says the same of it.
        return known or row

    def _charge(self, user_id: int) -> None:
        now = self.clock()
        key = f"news:images:{user_id}:{now:%Y%m%d}"
        with redis_errors(), self.redis.pipeline() as commands:
            commands.incr(key)
            commands.expire(key, _KEPT_SECONDS)
            count = commands.execute()[0]
        if count > self.most_per_day:
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            wait = int((midnight - now).total_seconds()) + 1
            raise TooManyRequests("You have sent too many pictures today.", retry_after_seconds=wait)
