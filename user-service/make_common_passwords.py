"""Makes ``user_service/passwords/common_passwords.zlib`` anew: ``make common-passwords``.

Two sources go in: the lists of the package zxcvbn (its version is locked in deploy/), and ``more_common_passwords.txt``
beside this script: common in China, or a row of keys. zxcvbn has 30,000 passwords, and keeps each that is a word or a
name (``jennifer``) in its lists of those alone, so all its lists are taken. The file is their union, one a line,
sorted, as UTF-8, compressed. Other versions of zlib may write other bytes for the same text.
"""

import zlib
from itertools import chain
from pathlib import Path

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from user_service.passwords.common_passwords import FILE, folded

HERE = Path(__file__).parent


def build() -> bytes:
    """Return the list as text."""
    more = (HERE / "more_common_passwords.txt").read_text(encoding="utf-8").split()
    words = sorted({folded(word) for word in chain(more, *FREQUENCY_LISTS.values())})
    return "".join(f"{word}\n" for word in words).encode()


if __name__ == "__main__":
    (HERE / "user_service/passwords" / FILE).write_bytes(zlib.compress(build(), level=9))
