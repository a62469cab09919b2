"""Which spellings of an answer are the same."""

# Full-width forms as Chinese keyboards type them (U+FF01 to U+FF5E and U+3000); no other Unicode form is taken.
_NARROW = {0xFF00 + code: 0x20 + code for code in range(1, 95)} | {0x3000: 0x20}
_UPPER = {ord(small): ord(small) - 32 for small in "abcdefghijklmnopqrstuvwxyz"}
# Texts contain only the first of each group, so that this makes no guess easier. All digits differ, for sums.
_GROUPS = ("A4", "G6C", "PDFR", "T7", "UV", "XKY", "0OQ", "1IL", "2Z", "3E", "5S", "8B")
_LOOK_ALIKES = {ord(other): group[0] for group in _GROUPS for other in group[1:]}


def narrowed(text: str) -> str:
    """Turn full-width forms into ASCII, and take the spaces around the text away."""
    return text.translate(_NARROW).strip(" ")


def folded(text: str) -> str:
    """Bring a text to the one spelling that is compared: narrow, upper case, one of each group of look-alikes."""
    return narrowed(text).translate(_UPPER).translate(_LOOK_ALIKES)
