"""The parts of pictures: Pillow draws them ahead, and new ones before anybody can collect the old ones."""

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

# No captcha lives longer, so of the past only the last period's atlas is needed.
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
    random = Random(seed)  # noqa: S311 - only the caller's seed must be unguessable.
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
        self._futures: dict[int, Future[Atlas]] = {}

    def period(self) -> int:
        """Return the number of the present period."""
        return int(self._clock()) // PERIOD_SECONDS

    def prepare(self) -> None:
        """Begin to draw the atlas of the present period, so that no request waits for it."""
        self._begin(self.period())

    def atlas_of(self, period: int) -> Atlas:
        """Return the atlas of a period, after half a second if it is not drawn yet, and begin to draw the next one."""
        atlas = self._begin(period)
        self._begin(period + 1)
        return atlas.result()

    def _begin(self, period: int) -> Future[Atlas]:
        with self._lock:
            future = self._futures.get(period)
            if future is None:
                future = self._futures[period] = self._background.submit(self._draw, period)
                for old in sorted(self._futures)[:-_KEPT]:
                    del self._futures[old]
        return future

    def _draw(self, period: int) -> Atlas:
        seed = hmac.digest(self._key, f"atlas {period}".encode(), sha256)
        return make_atlas(self._characters, style=self._style, seed=seed)
