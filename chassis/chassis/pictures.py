"""Pictures that people send, drawn again, so that nothing of their file is stored or served."""

import io
import struct
import threading
import zlib
from dataclasses import dataclass

from PIL import Image, ImageCms, ImageFile, ImageOps

from chassis.errors import DependencyUnavailable, FieldError, RequestInvalid

MOST_BYTES = 5 * 1024 * 1024
MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif")
# What some systems call them; the bytes decide anyway.
OTHER_MEDIA_TYPES = ("image/jpg", "image/pjpeg", "image/x-png", "image/apng")
DRAWN_TYPE = "image/webp"
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
_MOST_PIXELS = 24_000_000
_QUALITY = 85
_WAIT_SECONDS = 5.0
_PROFILED = ("RGB", "RGBA", "CMYK", "L")  # Pictures in these modes are brought from their profile's colours to sRGB.
_TO_8_BITS = {"I;16B": 1 / 256, "RGB;16B": 1 / 256, "L;4": 17, "L;2": 85}  # By Pillow's name of what a file holds.
# Pillow's readers raise these for files that are broken, truncated, or of another format.
_UNREADABLE = (
    OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError, NotImplementedError,
    struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip


@dataclass(frozen=True)
class DrawnPicture:
    """A WebP of pixels alone, and its size."""

    data: bytes
    width_px: int
    height_px: int


class Pictures:
    """Draws one picture at a time in this process: a WebP of 24 megapixels takes 400 MB for a moment (measured).

    What is drawn is the middle of the picture as a square of ``side_px`` (``is_square``), or the whole picture, whose
    longer side has at most so many pixels. ``field`` names the upload in errors.
    """

    def __init__(
        self, field: str, *, side_px: int, is_square: bool = False, wait_seconds: float = _WAIT_SECONDS
    ) -> None:
        self._field = field
        self._side_px = side_px
        self._is_square = is_square
        self._slot = threading.BoundedSemaphore(1)
        self._wait_seconds = wait_seconds

    def redraw(self, data: bytes) -> DrawnPicture:
        """Turn a JPEG, PNG, WebP or GIF (its first frame) into a WebP.

        The format is read from the bytes, and not from the client's header. The picture is turned as EXIF says, and its
        colours are those of its profile, in sRGB and 8 bits. Everything that is not pixels is dropped.

        Raises:
            RequestInvalid: another format, a broken or truncated file, or more than 24 megapixels.
            DependencyUnavailable: drawing other pictures takes too long.
        """
        if not self._slot.acquire(timeout=self._wait_seconds):
            raise DependencyUnavailable("Too many pictures are being drawn.", retry_after_seconds=2)
        try:
            return _encode(self._drawn(data))
        except _UNREADABLE as error:
            raise self._refused("not_a_picture", "Send a whole JPEG, PNG, WebP or GIF.") from error
        finally:
            self._slot.release()

    def _drawn(self, data: bytes) -> Image.Image:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as source:
            if source.width * source.height > _MOST_PIXELS:  # Known from the header, before a pixel is decoded.
                raise self._refused("too_many_pixels", f"Use at most {_MOST_PIXELS // 1_000_000} megapixels.")
            source.draft("RGB", (2 * self._side_px, 2 * self._side_px))  # A JPEG is then decoded at a small size.
            picture = _with_8_bits(source)
            mode = "RGBA" if picture.has_transparency_data else "RGB"
            # A transparent colour becomes a channel before pixels are mixed; others keep the mode of their profile.
            if picture.mode != mode and (mode == "RGBA" or picture.mode not in _PROFILED):
                picture = picture.convert(mode)
            picture.info["exif"] = source.info.get("exif", b"")
            upright = ImageOps.exif_transpose(self._resized(picture))
            return _in_srgb(upright, source.info.get("icc_profile")).convert(mode)

    def _resized(self, picture: Image.Image) -> Image.Image:
        size = (self._side_px, self._side_px)
        if self._is_square:
            return ImageOps.fit(picture, size)
        picture.thumbnail(size)
        return picture

    def _refused(self, code: str, detail: str) -> RequestInvalid:
        return RequestInvalid(errors=[FieldError(self._field, code, detail)])


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


def _encode(picture: Image.Image) -> DrawnPicture:
    pixels_alone = Image.frombytes(picture.mode, picture.size, picture.tobytes())
    buffer = io.BytesIO()
    pixels_alone.save(buffer, "WEBP", quality=_QUALITY)
    return DrawnPicture(buffer.getvalue(), *picture.size)
