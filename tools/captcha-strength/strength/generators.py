"""Fresh labelled pictures: ours of both kinds, and those of two generators that many sites use."""

import io
import math
from collections.abc import Callable
from random import Random

from captcha.image import DEFAULT_FONTS, ImageCaptcha
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from strength.service import ALPHABET, CLASSIC_ALPHABET, CLASSIC_CHARACTERS, LETTERS, draw_ours, draw_ours_classic

Labelled = tuple[bytes, str]  # An encoded picture and its answer.


def package(text: str, seed: int) -> bytes:
    """Draw with the package ``captcha`` from PyPI, as its documentation shows; it takes no seed."""
    del seed
    return ImageCaptcha().generate(text).getvalue()


def classic(text: str, seed: int) -> bytes:
    """Draw as the generator of the classic course projects does, in its manner, not its code.

    200 × 75, JPEG; each letter warped, tilted and pushed into its neighbour; one random curve; a sprinkle of dots.
    """
    random = Random(seed)
    picture = Image.new("RGB", (200, 75), _colour(random, 238, 255))
    letters = [_letter(character, random) for character in text]
    ink, scale = _colour(random, 0, 200), min(1.0, 190 / sum(letter.width for letter in letters))
    x = 4.0
    for letter in letters:
        fitting = letter.resize((round(letter.width * scale), round(letter.height * scale)))
        picture.paste(ink, (round(x), (75 - fitting.height) // 2), fitting)
        x += fitting.width * random.uniform(0.8, 1)
    pen = ImageDraw.Draw(picture)
    pen.line(_curve(random), fill=_colour(random, 0, 255), width=4, joint="curve")
    dots = _colour(random, 0, 255)
    for x, y in [(random.randrange(200), random.randrange(75)) for _ in range(50)]:
        pen.line((x, y, x - 1, y), fill=dots, width=2)
    encoded = io.BytesIO()
    picture.filter(ImageFilter.SMOOTH).save(encoded, "JPEG")
    return encoded.getvalue()


def _curve(random: Random) -> list[tuple[float, float]]:
    """Follow the Bézier curve of six points that are spread over the width at random heights."""
    points = [(200 * number / 5, random.uniform(0, 75)) for number in range(6)]

    def weighted(part: float, axis: int) -> float:
        return sum(math.comb(5, k) * part**k * (1 - part) ** (5 - k) * point[axis] for k, point in enumerate(points))

    return [(weighted(part / 40, 0), weighted(part / 40, 1)) for part in range(41)]


def _colour(random: Random, least: int, most: int) -> tuple[int, int, int]:
    return random.randint(least, most), random.randint(least, most), random.randint(least, most)


def _letter(character: str, random: Random) -> Image.Image:
    # A font that stays when ours change, so that this yardstick stays too.
    font = ImageFont.truetype(DEFAULT_FONTS[0], random.choice((42, 50, 56)))
    left, top, right, bottom = (math.floor(edge) for edge in font.getbbox(character))
    mask = Image.new("L", (right - left + 4, bottom - top + 4))
    ImageDraw.Draw(mask).text((2 - left, 2 - top), character, fill=255, font=font)
    width, height = mask.size
    across, down = width * random.uniform(0.1, 0.3), height * random.uniform(0.2, 0.3)
    left, right = (int(random.uniform(-across, across)) for _ in "lr")
    top, bottom = (int(random.uniform(-down, down)) for _ in "tb")
    wide, high = width + abs(left) + abs(right), height + abs(top) + abs(bottom)
    corners = (left, top, -left, high - bottom, wide + right, high + bottom, wide - right, -top)
    warped = mask.resize((wide, high)).transform((width, height), Image.Transform.QUAD, corners)
    return warped.rotate(random.uniform(-30, 30), Image.Resampling.BILINEAR, expand=True)


_DRAWN: dict[str, tuple[Callable[[str, int], bytes], str, int]] = {
    "ours": (draw_ours, ALPHABET, LETTERS),
    "ours, classic": (draw_ours_classic, CLASSIC_ALPHABET, CLASSIC_CHARACTERS),
    "package, 4": (package, ALPHABET, 4),
    "package, 5": (package, ALPHABET, 5),
    "classic": (classic, ALPHABET, 4),
}
GENERATORS = tuple(_DRAWN)
DEFAULT = ("ours", "ours, classic", "package, 4", "classic")


def alphabet_of(generator: str) -> str:
    """Return the characters of a generator's texts."""
    return _DRAWN[generator][1]


def pictures(generator: str, count: int, *, seed: int) -> list[Labelled]:
    """Draw ``count`` pictures with texts of the generator's alphabet.

    Foreign generators get the alphabet of our own pages, so that theirs is no easier one. The same seed gives the same
    texts, and the same pictures where the generator takes a seed.
    """
    draw_one, alphabet, characters = _DRAWN[generator]
    random = Random(f"{seed} {generator}")
    answers = ["".join(random.choices(alphabet, k=characters)) for _ in range(count)]
    return [(draw_one(answer, random.getrandbits(64)), answer) for answer in answers]
