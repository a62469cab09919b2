"""Avatars: files under their content's hash in a folder that all replicas share, and the address in the account."""

import hashlib
import io
import re
import struct
import threading
import uuid
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from PIL import Image, ImageOps

from chassis.database import Database
from chassis.errors import DependencyUnavailable, FieldError, NotFound, RequestInvalid
from user_service.accounts.accounts import locked_account
from user_service.audit.log import Happening, record
from user_service.limits.rate_limits import AttemptLimits, Bucket
from user_service.models import User

MOST_BYTES = 5 * 1024 * 1024
MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif")
DRAWN_TYPE = "image/webp"
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
_MOST_PIXELS = 24_000_000
_SIDE_PX = 256
_QUALITY = 85
_WAIT_SECONDS = 5.0
# What Pillow's readers raise for files that are broken, cut off, or none of the four formats.
_UNREADABLE = (
    OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError, NotImplementedError,
    struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip


class Pictures:
    """Draws one picture at a time in this process: a WebP of 24 megapixels takes 400 MB for a moment (measured)."""

    def __init__(self, *, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._place = threading.BoundedSemaphore(1)
        self._wait_seconds = wait_seconds

    def redraw(self, data: bytes) -> bytes:
        """Turn a JPEG, PNG, WebP or GIF (its first frame) into a WebP of 256 x 256, the middle of the picture.

        The format is read from the bytes, whatever a client says. EXIF turns the picture and is dropped, as is all
        else that is not pixels.

        Raises:
            RequestInvalid: another format, a broken or truncated file, or more than 24 megapixels.
            DependencyUnavailable: others are being drawn for too long.
        """
        if not self._place.acquire(timeout=self._wait_seconds):
            raise DependencyUnavailable("Too many pictures are being drawn.", retry_after_seconds=2)
        try:
            return _encode(_drawn(data))
        except _UNREADABLE as error:
            raise _refused("not_a_picture", "Send a whole JPEG, PNG, WebP or GIF.") from error
        finally:
            self._place.release()


def _drawn(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=_FORMATS) as source:
        if source.width * source.height > _MOST_PIXELS:  # Known from the header, before a pixel is decoded.
            raise _refused("too_many_pixels", f"Use at most {_MOST_PIXELS // 1_000_000} megapixels.")
        source.draft("RGB", (2 * _SIDE_PX, 2 * _SIDE_PX))  # A JPEG is decoded small at once.
        source.load()
        mode = "RGBA" if source.has_transparency_data else "RGB"
        picture = source if source.mode == mode else source.convert(mode)
        picture.info["exif"] = source.info.get("exif", b"")
        square = ImageOps.fit(picture, (_SIDE_PX, _SIDE_PX))
    return ImageOps.exif_transpose(square)


def _encode(picture: Image.Image) -> bytes:
    pixels_alone = Image.frombytes(picture.mode, picture.size, picture.tobytes())
    written = io.BytesIO()
    pixels_alone.save(written, "WEBP", quality=_QUALITY)
    return written.getvalue()


def _refused(code: str, detail: str) -> RequestInvalid:
    return RequestInvalid(errors=[FieldError("avatar", code, detail)])


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
