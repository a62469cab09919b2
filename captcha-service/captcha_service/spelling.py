"""Which spellings of an answer are the same."""

# Full-width forms as Chinese keyboards type them (U+FF01 to U+FF5E and U+3000); no other Unicode form is taken.
_NARROW = {0xFF00 + code: 0x20 + code for code in range(1, 95)} | {0x3000: 0x20}
_UPPER = {ord(small): ord(small) - 32 for small in "abcdefghijklmnopqrstuvwxyz"}
_LOOK_ALIKES = str.maketrans("OQIZSB", "001258")


def narrowed(text: str) -> str:
    """Turn full-width forms into ASCII, and take the spaces around the text away."""
    return text.translate(_NARROW).strip(" ")


def folded(text: str) -> str:
    """Bring a text to the one spelling that is compared: narrow, upper case, one of each pair of look-alikes."""
    return narrowed(text).translate(_UPPER).translate(_LOOK_ALIKES)
