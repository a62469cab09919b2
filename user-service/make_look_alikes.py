"""Makes ``user_service/accounts/look_alikes.txt`` anew: ``make look-alikes``.

The source is Unicode's confusables.txt (UTS 39) as the package confusable-homoglyphs carries it (its version is locked
in deploy/). A line of the file is an ASCII letter or digit, a space, and the characters of other scripts that look like
it in either case. Characters that NFKC already brings to ASCII are left out.
"""

import string
import unicodedata
from pathlib import Path

from confusable_homoglyphs.confusables import is_confusable

from user_service.accounts.reserved_names import FILE, without_marks

HERE = Path(__file__).parent


def build() -> str:
    """Return the table as text."""
    return "".join(f"{sign} {others}\n" for sign in string.digits + string.ascii_lowercase if (others := _others(sign)))


def _others(sign: str) -> str:
    like = {each for case in {sign, sign.upper()} for each in _like(case)}
    alike = {without_marks(unicodedata.normalize("NFKC", each)) for each in like}
    return "".join(sorted(each for each in alike if len(each) == 1 and not each.isascii()))


def _like(sign: str) -> list[str]:
    found = is_confusable(sign, greedy=True)
    # The table writes signs of scripts from right to left between two marks of direction.
    return [each["c"].strip("\u200e") for each in found[0]["homoglyphs"]] if found else []


if __name__ == "__main__":
    (HERE / "user_service/accounts" / FILE).write_text(build(), encoding="utf-8")
