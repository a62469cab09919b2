"""Masks as whole numbers, so that moving one is a shift and laying one over another is an XOR; and PNG files of them.

A picture's rows stand one after the other as a PNG wants them: a byte for the row's filter, then two or four bits for
each pixel, 0 for paper and all ones for ink. Read as one big-endian number, its last pixel is the lowest bits. XOR with
ink then turns ink into paper and paper into ink, and it does so with the shades between them too.
"""

import struct
from dataclasses import dataclass

from isal.isal_zlib import compress, crc32
from PIL import Image

from captcha_service.style import Style

OVERSAMPLING = 4  # Masks come this many times larger than at scale 1, for smooth edges.
SCALES = (1, 2)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPE_PALETTE = 3
_LEVEL = 1  # 0 takes a quarter of the time and 3 parts in 10 more bytes; 2 and 3 gain nothing on such pictures.


@dataclass(frozen=True)
class Canvas:
    """The measures of a whole picture at one scale."""

    scale: int
    width_px: int
    height_px: int
    bits_per_pixel: int
    row_bytes: int  # With the byte of the row's filter.

    @classmethod
    def of_style(cls, style: Style, scale: int) -> "Canvas":
        """Measure a picture that has ``scale`` times the pixels of the style, each way."""
        width_px = style.width_px * scale
        row_bytes = 1 + width_px * style.bits_per_pixel // 8
        return cls(scale, width_px, style.height_px * scale, style.bits_per_pixel, row_bytes)

    def rows(self, number: int) -> bytes:
        """Write a picture out, row by row."""
        return number.to_bytes(self.row_bytes * self.height_px, "big")


@dataclass(frozen=True)
class Shape:
    """A part of a picture: its size at scale 1, and by scale its mask, standing in the lower right corner."""

    width_px: int
    height_px: int
    masks: tuple[int, ...]

    def placed_at(self, x_px: int, y_px: int, canvas: Canvas) -> int:
        """Move the mask so that its upper left corner is at a place within the picture, in pixels of scale 1."""
        right_px = canvas.width_px - canvas.scale * (x_px + self.width_px)
        below_px = canvas.height_px - canvas.scale * (y_px + self.height_px)
        return self.masks[canvas.scale - 1] << 8 * canvas.row_bytes * below_px + canvas.bits_per_pixel * right_px


def shape(mask: Image.Image, style: Style) -> Shape:
    """Prepare an oversampled mask (255 is ink) for every scale."""
    width_px, height_px = (-(-side // OVERSAMPLING) for side in mask.size)
    whole = Image.new("L", (width_px * OVERSAMPLING, height_px * OVERSAMPLING))
    whole.paste(mask)
    sizes = ((whole.reduce(OVERSAMPLING // scale), Canvas.of_style(style, scale)) for scale in SCALES)
    return Shape(width_px, height_px, tuple(_number(reduced, canvas) for reduced, canvas in sizes))


def _number(mask: Image.Image, canvas: Canvas) -> int:
    bits = canvas.bits_per_pixel
    ink, pixels_per_byte = (1 << bits) - 1, 8 // bits
    width_px = -(-mask.width // pixels_per_byte) * pixels_per_byte
    shades = Image.new("P", (width_px, mask.height))
    shades.paste(mask.point([(value * ink + 127) // 255 for value in range(256)]), (width_px - mask.width, 0))
    packed, row = shades.tobytes("raw", f"P;{bits}"), width_px // pixels_per_byte
    rows = (packed[at : at + row].rjust(canvas.row_bytes, b"\0") for at in range(0, len(packed), row))
    return int.from_bytes(b"".join(rows), "big")


def encode_png(rows: bytes, *, canvas: Canvas, palette: bytes) -> bytes:
    """Encode rows of packed pixels, each behind a filter byte of 0; ``palette`` is red, green and blue by shade.

    The format is that of Portable Network Graphics, third edition (W3C 2025), with few colours.
    """
    size, depth = (canvas.width_px, canvas.height_px), canvas.bits_per_pixel
    header = struct.pack(">IIBBBBB", *size, depth, _COLOUR_TYPE_PALETTE, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", compress(rows, _LEVEL)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc32(content, crc32(kind)))
