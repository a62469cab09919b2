import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.texts import drop_ignorable, free_text, plain

EVERY_CHARACTER = [chr(code) for code in range(sys.maxunicode + 1)]


@pytest.mark.parametrize(
    "invisible",
    ["\u00ad", "\u034f", "\u115f", "\u1160", "\u180e", "\u200b", "\u2065", "\u3164", "\uffa0", "\U000e0fff"],
)
def test_an_invisible_character_is_dropped(invisible: str) -> None:
    assert drop_ignorable(f"a{invisible}b{invisible}") == "ab"


def test_every_format_character_is_dropped_but_those_that_are_seen() -> None:
    kept = [each for each in EVERY_CHARACTER if unicodedata.category(each) == "Cf" and drop_ignorable(each)]
    # Signs above digits in Arabic, Syriac and Kaithi, the layout of hieroglyphs, and annotations between lines.
    seen = ("ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN", "INTERLINEAR")
    assert [hex(ord(each)) for each in kept if not unicodedata.name(each).startswith(seen)] == []


def test_nothing_becomes_invisible_by_its_normal_form() -> None:
    normal = (unicodedata.normalize("NFKC", drop_ignorable(each)) for each in EVERY_CHARACTER)
    assert [text for text in normal if drop_ignorable(text) != text] == []


def test_no_letter_mark_or_digit_is_dropped_but_the_fillers() -> None:
    dropped = [each for each in EVERY_CHARACTER if unicodedata.category(each)[0] in "LN" and not drop_ignorable(each)]
    assert dropped == ["\u115f", "\u1160", "\u3164", "\uffa0"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("６５０　６０９", "650 609"),
        ("650\u2011609", "650-609"),
        ("650\u2212609", "650-609"),
        ("\u2068650609\u2069", "650609"),
        ("\u0666\u0665\u0660\u0666\u0660\u0669", "650609"),
        ("\U0001d7da\U0001d7d8", "20"),
        ("ＡＢ\u00a0c", "AB c"),
        ("a\u2800b\nc", "a b c"),
        ("a\x1fb\x00", "a\x1fb\x00"),
    ],
)
def test_spaces_hyphens_and_digits_have_one_spelling(written: str, read: str) -> None:
    assert plain(written) == read


def test_every_space_and_dash_of_unicode_is_read() -> None:
    kinds = {"Zs": " ", "Zl": " ", "Zp": " ", "Pd": "-"}
    read = {each: kinds[unicodedata.category(each)] for each in EVERY_CHARACTER if unicodedata.category(each) in kinds}
    assert {hex(ord(each)): plain(each) for each, expected in read.items() if plain(each) != expected} == {}


@given(st.text())
def test_one_spelling_is_kept(text: str) -> None:
    for rule in (drop_ignorable, free_text, plain):
        assert rule(rule(text)) == rule(text)


@pytest.mark.parametrize(
    "text", ["", "李雷\n的签名", "👨‍👩‍👧", "❤️", "می‌خواهم", "क्‍ष", "葛\U000e0100", "🏴\U000e0067\U000e0062\U000e007f"]
)
def test_a_free_text_keeps_what_shapes_it(text: str) -> None:
    assert free_text(text) == text


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("\u202eabc\u202c", "abc"),
        ("a\u2066b\u2069\u200e", "ab"),
        ("\ufeffa\u200b\u00ad", "a"),
        ("\u3164", ""),
        ("\u2800 \u3000", ""),
        ("\u200d\ufe0f", ""),
        (" \n", ""),
    ],
)
def test_a_free_text_holds_something_to_see_and_no_directions(written: str, kept: str) -> None:
    assert free_text(written) == kept
