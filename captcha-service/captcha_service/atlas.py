"""All parts that pictures are made of, drawn ahead by Pillow, and renewed before anybody can collect them."""

import hmac
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from threading import Lock

from captcha_service.bitmaps import Shape, shape
from captcha_service.lettering import all_fonts, letter, patch
from captcha_service.style import Style

# No captcha lives longer, so the atlas of the last period is all that is needed of the past.
PERIOD_SECONDS = 900
_KEPT = 3


@dataclass(frozen=True)
class Atlas:
    """Variants of every character, and patches, of one style."""

    style: Style
    glyphs: Mapping[str, tuple[Shape, ...]]
    patches: tuple[Shape, ...]


def make_atlas(characters: str, *, style: Style, seed: bytes) -> Atlas:
    """Draw the parts for texts of these characters; the same seed gives the same parts. Takes about half a second."""
    random = Random(seed)  # noqa: S311 - the caller's seed is what must be unguessable.
    fonts = all_fonts()
    glyphs = {}
    for character in characters:
        order = random.sample(fonts, len(fonts))
        chosen = (order[variant % len(order)] for variant in range(style.glyph_variants))
        glyphs[character] = tuple(shape(letter(character, font, style, random), style) for font in chosen)
    return Atlas(style, glyphs, tuple(shape(patch(style, random), style) for _ in range(style.patch_variants)))


class Atlases:
    """The atlases of the last, this and the next quarter of an hour, the same in all processes that share the key.

    Each is drawn in the background before its time comes. Threads may share this.
    """

    def __init__(self, characters: str, *, style: Style, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._characters = characters
        self._style = style
        self._key = key
        self._clock = clock
        self._lock = Lock()
        self._background = ThreadPoolExecutor(1, thread_name_prefix="atlas")
        self._begun: dict[int, Future[Atlas]] = {}

    def period(self) -> int:
        """Number the period that it is now."""
        return int(self._clock()) // PERIOD_SECONDS

    def prepare(self) -> None:
        """Begin with the atlas of now, so that nobody has to wait for it."""
        self._begin(self.period())

    def of(self, period: int) -> Atlas:
        """Return the atlas of a period, after half a second if it has not been drawn, and begin with the next."""
        atlas = self._begin(period)
        self._begin(period + 1)
        return atlas.result()

    def _begin(self, period: int) -> Future[Atlas]:
        with self._lock:
            begun = self._begun.get(period)
            if begun is None:
                begun = self._begun[period] = self._background.submit(self._draw, period)
                for old in sorted(self._begun)[:-_KEPT]:
                    del self._begun[old]
        return begun

    def _draw(self, period: int) -> Atlas:
        seed = hmac.digest(self._key, f"atlas {period}".encode(), sha256)
        return make_atlas(self._characters, style=self._style, seed=seed)
