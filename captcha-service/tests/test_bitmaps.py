"""Masks as whole numbers."""

import io

import pytest
from PIL import Image

from captcha_service.bitmaps import OVERSAMPLING, Canvas, encode_png, shape
from captcha_service.style import Style

BLACK_TO_WHITE = {2: bytes(value for shade in (0, 85, 170, 255) for value in (shade,) * 3)}


def decoded(number: int, canvas: Canvas) -> Image.Image:
    """Read a picture back by way of the PNG that is written of it; ink is white."""
    shades = (1 << canvas.bits_per_pixel) - 1
    palette = bytes(255 * shade // shades for shade in range(shades + 1) for _ in "rgb")
    return Image.open(io.BytesIO(encode_png(canvas.rows(number), canvas=canvas, palette=palette))).convert("L")


@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("place", [(0, 0), (1, 0), (7, 13), (240 - 9, 90 - 5)])
def test_a_mask_stands_where_it_was_put(bits: int, scale: int, place: tuple[int, int]) -> None:
    style = Style(bits_per_pixel=bits)
    part, canvas = (
        shape(Image.new("L", (9 * OVERSAMPLING, 5 * OVERSAMPLING), 255), style),
        Canvas.of_style(style, scale),
    )
    expected = Image.new("L", (240 * scale, 90 * scale))
    expected.paste(255, tuple(scale * edge for edge in (*place, place[0] + 9, place[1] + 5)))
    assert decoded(part.placed_at(*place, canvas), canvas).tobytes() == expected.tobytes()


def test_ink_over_a_shade_turns_it_round() -> None:
    style = Style()
    canvas = Canvas.of_style(style, 1)
    shades = Image.new("L", (4 * OVERSAMPLING, OVERSAMPLING))
    for column, value in enumerate((0, 85, 170, 255)):
        shades.paste(value, (column * OVERSAMPLING, 0, (column + 1) * OVERSAMPLING, OVERSAMPLING))
    ink = shape(Image.new("L", shades.size, 255), style).placed_at(0, 0, canvas)
    part = shape(shades, style).placed_at(0, 0, canvas)
    assert [decoded(part, canvas).getpixel((x, 0)) for x in range(4)] == [0, 85, 170, 255]
    assert [decoded(part ^ ink, canvas).getpixel((x, 0)) for x in range(4)] == [255, 170, 85, 0]


def test_a_mask_of_an_odd_size_keeps_its_upper_left_corner() -> None:
    style = Style()
    part = shape(Image.new("L", (9 * OVERSAMPLING - 1, 1), 255), style)
    assert (part.width_px, part.height_px) == (9, 1)
    assert decoded(part.placed_at(3, 2, Canvas.of_style(style, 1)), Canvas.of_style(style, 1)).getbbox() == (
        3,
        2,
        12,
        3,
    )
