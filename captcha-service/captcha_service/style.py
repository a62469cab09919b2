"""How the pictures look: every number of the drawing, in one place."""

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """The parameters of a picture.

    Ranges are (least, most). A share is a part of the picture's height, for ``advance_share`` and
    ``corner_shift_share`` a part of a glyph's own size.
    """

    media_type: str = "image/png"
    width_px: int = 240
    height_px: int = 90
    oversampling: int = 2  # Drawn this many times larger, then scaled down, for smooth edges.
    font_size_share: Range = (0.66, 0.78)
    advance_share: Range = (0.78, 0.90)  # How far the next glyph begins: below 1 they overlap.
    jump_share: float = 0.06  # How far a glyph leaves the line, up or down. Larger makes the order doubtful.
    rotation_degrees: float = 14.0
    corner_shift_share: float = 0.10
    bend_share: Range = (0.03, 0.05)  # Height of the wave that bends the whole line.
    bend_length_share: Range = (0.9, 1.6)
    border_share: Range = (0.08, 0.16)  # Height of the wave behind which the colours are exchanged.
    curve_share: Range = (0.10, 0.25)
    wave_length_share: Range = (1.2, 2.4)
    curves: int = 1
    curve_width_px: Range = (2.2, 3.2)
    dark_channel: tuple[int, int] = (0, 80)  # Any dark on any light has a contrast of at least 5 to 1.
    light_channel: tuple[int, int] = (205, 255)
    shades: int = 16  # So that a PNG needs four bits for a pixel.
    jpeg_quality: int = 80


PNG = Style()
# The size and the type that the classic frontends expect.
CLASSIC_JPEG = Style(media_type="image/jpeg", width_px=200, height_px=75)
