"""The parts of pictures, and their renewal."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from PIL import ImageDraw, ImageFilter, ImageOps

from captcha_service.atlas import PERIOD_SECONDS, Atlases, make_atlas
from captcha_service.bitmaps import OVERSAMPLING, shape
from captcha_service.lettering import all_fonts, letter
from captcha_service.style import CLASSIC, TEXTS


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize("name", ["atlas", "sums_atlas", "classic_atlas"])
def test_every_part_of_an_atlas_fits_into_the_picture(request: pytest.FixtureRequest, name: str) -> None:
    atlas = request.getfixturevalue(name)
    parts = [*atlas.patches, *(glyph for variants in atlas.glyphs.values() for glyph in variants)]
    assert max(part.width_px for part in parts) < atlas.style.width_px // 2
    assert max(part.height_px for part in parts) <= atlas.style.height_px


def test_a_letter_that_turns_out_too_high_is_made_lower() -> None:
    style = replace(TEXTS, cap_height_px=(100.0, 100.0))
    parts = [shape(letter("M", font, style, Random(1)), style) for font in all_fonts()]
    assert max(part.height_px for part in parts) <= 0.9 * TEXTS.height_px


@pytest.mark.parametrize("character", ["T", "M"])
def test_every_letter_is_as_wide_as_any_other(character: str) -> None:
    least, most = TEXTS.glyph_width_px
    for number, font in enumerate(all_fonts()):
        assert least - 2 < shape(letter(character, font, TEXTS, Random(number)), TEXTS).width_px < most + 2


@pytest.mark.parametrize("number", range(len(all_fonts())))
def test_a_letter_is_a_closed_outline(number: int) -> None:
    mask = ImageOps.expand(letter("U", all_fonts()[number], TEXTS, Random(number)), 1)
    outline = mask.histogram()[255]
    width = round(TEXTS.outline_px * OVERSAMPLING)
    assert mask.filter(ImageFilter.MinFilter(width // 2 // 2 * 2 + 1)).getbbox()
    assert mask.filter(ImageFilter.MinFilter(2 * width // 2 * 2 + 1)).getbbox() is None
    ImageDraw.floodfill(mask, (0, 0), 255)
    assert mask.histogram()[0] > outline / 2  # What is enclosed, if the outline has no gap.


@pytest.mark.parametrize("number", range(len(all_fonts())))
def test_a_letter_of_a_classic_picture_is_filled(number: int) -> None:
    mask = letter("U", all_fonts()[number], CLASSIC, Random(number))
    thick = OVERSAMPLING * 2 // 2 * 2 + 1  # Two pixels of the page.
    assert mask.filter(ImageFilter.MinFilter(thick)).getbbox()


@pytest.mark.parametrize("name", ["atlas", "classic_atlas"])
def test_the_variants_of_a_character_differ(request: pytest.FixtureRequest, name: str) -> None:
    for variants in request.getfixturevalue(name).glyphs.values():
        assert len({glyph.masks for glyph in variants}) == TEXTS.glyph_variants


def test_the_same_seed_gives_the_same_atlas_and_another_another() -> None:
    first, again, other = (make_atlas("A4", style=TEXTS, seed=seed) for seed in (b"1", b"1", b"2"))
    assert first == again
    assert first != other


def test_processes_that_share_a_key_have_the_same_atlas(clock: Clock) -> None:
    one, two, stranger = (Atlases("A", style=TEXTS, key=key, clock=clock) for key in (b"key", b"key", b"another"))
    assert one.atlas_of(7) == two.atlas_of(7)
    assert one.atlas_of(7) != stranger.atlas_of(7)


def test_an_atlas_is_renewed_every_period_and_the_last_one_still_there(clock: Clock) -> None:
    atlases = Atlases("A", style=TEXTS, key=b"key", clock=clock)
    seen = []
    for _ in range(3):
        seen.append(atlases.atlas_of(atlases.period()))
        clock.seconds += PERIOD_SECONDS
        assert atlases.atlas_of(atlases.period() - 1) is seen[-1]
    assert all(old != new for old, new in pairwise(seen))


def test_the_next_atlas_is_ready_before_its_time(clock: Clock) -> None:
    atlases = Atlases("A", style=TEXTS, key=b"key", clock=clock)
    atlases.atlas_of(atlases.period())
    begun = dict(atlases._futures)
    assert sorted(begun) == [atlases.period(), atlases.period() + 1]


def test_old_atlases_are_forgotten(clock: Clock) -> None:
    atlases = Atlases("A", style=TEXTS, key=b"key", clock=clock)
    for period in range(6):
        atlases.atlas_of(period)
    assert sorted(atlases._futures) == [4, 5, 6]
