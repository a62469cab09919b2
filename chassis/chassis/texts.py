"""What a person sees of a text: without invisible characters, and with one spelling of every space, hyphen and digit.

Nothing here asks Python whether a character exists, because each release of Python knows another Unicode.
"""

import re
import unicodedata

# Default_Ignorable_Code_Point of Unicode 16 (DerivedCoreProperties.txt): fillers, joiners, variation selectors, tags,
# directions of writing. The ranges include reserved ones, so that they serve later versions of Unicode too.
_IGNORABLE = (
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    r"\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Joiners, variation selectors and tags shape emoji, Persian and the scripts of India.
_SHAPELESS = re.compile(r"(?![\u200c\u200d\ufe00-\ufe0f\U000e0020-\U000e007f\U000e0100-\U000e01ef])" + _IGNORABLE)
_BLANK = r"[^\S\x1c-\x1f]|\u2800"  # Every space and line end, and the empty cell of Braille.
# The category Pd; then middle dots, bullets, minus, and the long vowel that Japanese keyboards type for a hyphen.
_DASH = r"[\u058a\u05be\u1400\u1806\u2010-\u2015\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u2e5d\u301c\u3030\U00010d6e\U00010ead]"
_HYPHEN = _DASH + r"|[\u00b7\u2022\u2043\u2212\u30a0\u30fb\u30fc]"


def drop_ignorable(text: str) -> str:
    """Drop the characters that are invisible by themselves."""
    return re.sub(_IGNORABLE, "", text)


def free_text(text: str) -> str:
    """Drop what neither is seen nor shapes what is seen, as directions of writing; empty if nothing is to be seen."""
    return _SHAPELESS.sub("", text) if re.sub(_BLANK, "", drop_ignorable(text)) else ""


def plain(text: str) -> str:
    """Return a text in NFKC, with ASCII for the spaces, hyphens and digits of every script: for numbers and codes."""
    shown = unicodedata.normalize("NFKC", drop_ignorable(text))
    spaced = re.sub(_BLANK, " ", re.sub(_HYPHEN, "-", shown))
    return "".join(str(unicodedata.decimal(character, character)) for character in spaced)
