"""Fresh labelled pictures: ours, and those of two generators that many sites use."""

import io
import math
from collections.abc import Callable
from random import Random

from captcha.image import ImageCaptcha
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from captcha_service.captchas import ALPHABET
from captcha_service.drawing import draw
from captcha_service.style import PNG
from strength.fonts import FONTS

Labelled = tuple[bytes, str]  # An encoded picture and its answer.


def ours(text: str, seed: int) -> bytes:
    """Draw as the service does. All that this folder knows of the drawing's interface stands here."""
    return draw(text, style=PNG, seed=seed).content


def package(text: str, seed: int) -> bytes:
    """Draw with the package ``captcha`` from PyPI, as its documentation shows; it takes no seed."""
    del seed
    return ImageCaptcha().generate(text).getvalue()


def classic(text: str, seed: int) -> bytes:
    """Draw as the generator of the classic course projects does, in its manner, not its code.

    200 × 75, JPEG; each letter warped, tilted and pushed into its neighbour; one curve; a sprinkle of dots.
    """
    random = Random(seed)
    picture = Image.new("RGB", (200, 75), _colour(random, 238, 255))
    draw_on = ImageDraw.Draw(picture)
    ink = _colour(random, 0, 200)
    draw_on.arc(_box(random), random.randint(160, 200), random.randint(340, 380), fill=ink, width=3)
    for _ in range(30):
        x, y = random.randint(0, 200), random.randint(0, 75)
        draw_on.line((x, y, x - 1, y), fill=ink, width=3)
    letters = [_letter(character, random) for character in text]
    x = (200 - sum(letter.width for letter in letters) * 0.75) / 2
    for letter in letters:
        picture.paste(ink, (int(x), (75 - letter.height) // 2 + random.randint(-4, 4)), letter)
        x += letter.width * 0.75
    encoded = io.BytesIO()
    picture.filter(ImageFilter.SMOOTH).save(encoded, "JPEG")
    return encoded.getvalue()


def _colour(random: Random, least: int, most: int) -> tuple[int, int, int]:
    return random.randint(least, most), random.randint(least, most), random.randint(least, most)


def _box(random: Random) -> tuple[int, int, int, int]:
    return random.randint(-20, 20), random.randint(10, 30), random.randint(180, 220), random.randint(45, 75)


def _letter(character: str, random: Random) -> Image.Image:
    font = ImageFont.truetype(str(random.choice(FONTS)), random.choice((42, 50, 56)))
    left, top, right, bottom = (math.floor(edge) for edge in font.getbbox(character))
    mask = Image.new("L", (right - left + 4, bottom - top + 4))
    ImageDraw.Draw(mask).text((2 - left, 2 - top), character, fill=255, font=font)
    width, height = mask.size
    dx, dy = width * random.uniform(0.1, 0.3), height * random.uniform(0.2, 0.3)
    corners = (-dx, -dy, -dx / 2, height + dy, width + dx, height + dy / 2, width + dx / 2, -dy / 2)
    warped = mask.transform((int(width + dx), int(height + dy)), Image.Transform.QUAD, corners)
    return warped.rotate(random.uniform(-30, 30), Image.Resampling.BILINEAR, expand=True)


_DRAWN: dict[str, tuple[Callable[[str, int], bytes], int]] = {
    "ours": (ours, 5),
    "package, 4": (package, 4),
    "package, 5": (package, 5),
    "classic": (classic, 4),
}
GENERATORS = tuple(_DRAWN)


def pictures(generator: str, count: int, *, seed: int) -> list[Labelled]:
    """Draw ``count`` pictures. All generators get their texts from the service's alphabet, so that none has an easier one.

    The same seed gives the same texts, and the same pictures where the generator takes a seed.
    """
    draw_one, characters = _DRAWN[generator]
    random = Random(f"{seed} {generator}")
    answers = ["".join(random.choices(ALPHABET, k=characters)) for _ in range(count)]
    return [(draw_one(answer, random.getrandbits(64)), answer) for answer in answers]
