"""Avatars: pictures that are drawn again, stored under their content's hash in a folder that all replicas share.

A picture is drawn again from whatever a user sends, so that nothing of the file itself is stored or served.
"""

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

from PIL import Image, ImageCms, ImageFile, ImageOps

from chassis.database import Database
from chassis.errors import DependencyUnavailable, FieldError, NotFound, RequestInvalid
from user_service.audit.log import AuditEntry, write_audit_entry
from user_service.limits.login_guard import Bucket, RateLimits
from user_service.models import User, locked_account

MOST_BYTES = 5 * 1024 * 1024
MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif")
# What some systems call them; the bytes decide anyway.
OTHER_MEDIA_TYPES = ("image/jpg", "image/pjpeg", "image/x-png", "image/apng")
DRAWN_TYPE = "image/webp"
ADDRESS = "/api/v1/avatars/"
NAME = r"[0-9a-f]{64}\.webp"
_OWN_ADDRESS = re.compile(re.escape(ADDRESS) + f"({NAME})")
_UPLOADS, _UPLOADS_SECONDS = 20, 3600
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
_MOST_PIXELS = 24_000_000
_SIDE_PX = 256
_QUALITY = 85
_WAIT_SECONDS = 5.0
_PROFILED = ("RGB", "RGBA", "CMYK", "L")  # Pictures in these modes are brought from their profile's colours to sRGB.
_TO_8_BITS = {"I;16B": 1 / 256, "RGB;16B": 1 / 256, "L;4": 17, "L;2": 85}  # By Pillow's name of what a file holds.
# Pillow's readers raise these for files that are broken, truncated, or of another format.
_UNREADABLE = (
    OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError, NotImplementedError,
    struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip


class Pictures:
    """Draws one picture at a time in this process: a WebP of 24 megapixels takes 400 MB for a moment (measured)."""

    def __init__(self, *, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._slot = threading.BoundedSemaphore(1)
        self._wait_seconds = wait_seconds

    def redraw(self, data: bytes) -> bytes:
        """Turn a JPEG, PNG, WebP or GIF (its first frame) into a WebP of 256 x 256, the middle of the picture.

        The format is read from the bytes, and not from the client's header. The picture is turned as EXIF says, and its
        colours are those of its profile, in sRGB and 8 bits. Everything that is not pixels is dropped.

        Raises:
            RequestInvalid: another format, a broken or truncated file, or more than 24 megapixels.
            DependencyUnavailable: drawing other pictures takes too long.
        """
        if not self._slot.acquire(timeout=self._wait_seconds):
            raise DependencyUnavailable("Too many pictures are being drawn.", retry_after_seconds=2)
        try:
            return _encode(_drawn(data))
        except _UNREADABLE as error:
            raise _refused("not_a_picture", "Send a whole JPEG, PNG, WebP or GIF.") from error
        finally:
            self._slot.release()


def _drawn(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=_FORMATS) as source:
        if source.width * source.height > _MOST_PIXELS:  # Known from the header, before a pixel is decoded.
            raise _refused("too_many_pixels", f"Use at most {_MOST_PIXELS // 1_000_000} megapixels.")
        source.draft("RGB", (2 * _SIDE_PX, 2 * _SIDE_PX))  # A JPEG is then decoded at a small size.
        picture = _with_8_bits(source)
        mode = "RGBA" if picture.has_transparency_data else "RGB"
        # A transparent colour becomes a channel before pixels are mixed; other pictures keep the mode of their profile.
        if picture.mode != mode and (mode == "RGBA" or picture.mode not in _PROFILED):
            picture = picture.convert(mode)
        picture.info["exif"] = source.info.get("exif", b"")
        square = ImageOps.exif_transpose(ImageOps.fit(picture, (_SIDE_PX, _SIDE_PX)))
        return _in_srgb(square, source.info.get("icc_profile")).convert(mode)


def _with_8_bits(source: ImageFile.ImageFile) -> Image.Image:
    """Decode a picture; bring what Pillow leaves in the depth of a PNG to 8 bits: grey, and a transparent colour."""
    factor = _TO_8_BITS.get(source.tile[0].args, 1) if source.tile and isinstance(source.tile[0].args, str) else 1
    source.load()
    picture: Image.Image = source
    if source.mode == "I;16":  # Pillow's own conversion makes everything brighter than 255 of 65,535 white.
        picture = Image.frombytes("L", source.size, source.tobytes("raw", "I;16B"), "raw", "L;16B")
        picture.info = dict(source.info)
    transparent = picture.info.get("transparency")
    if isinstance(transparent, int):
        picture.info["transparency"] = int(transparent * factor)
    elif isinstance(transparent, tuple):
        picture.info["transparency"] = tuple(int(channel * factor) for channel in transparent)
    return picture


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Bring colours to those that browsers assume without a profile. A profile that cannot be read counts as none."""
    if not profile or picture.mode not in _PROFILED:
        return picture
    try:
        given, mode = ImageCms.ImageCmsProfile(io.BytesIO(profile)), "RGBA" if picture.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(picture, given, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError):
        return picture
    return converted or picture


def _encode(picture: Image.Image) -> bytes:
    pixels_alone = Image.frombytes(picture.mode, picture.size, picture.tobytes())
    buffer = io.BytesIO()
    pixels_alone.save(buffer, "WEBP", quality=_QUALITY)
    return buffer.getvalue()


def _refused(code: str, detail: str) -> RequestInvalid:
    return RequestInvalid(errors=[FieldError("avatar", code, detail)])


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
            return self._store_avatar(user_id, self._pictures.redraw(data))
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
