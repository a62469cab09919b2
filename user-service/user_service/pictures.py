"""Draws avatars anew from whatever picture somebody sends, so that nothing of the file itself is kept or served."""

import io
import struct
import threading
import zlib

from PIL import Image, ImageOps

from chassis.errors import DependencyUnavailable, FieldError, RequestInvalid

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
