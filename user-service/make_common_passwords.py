"""Makes ``user_service/passwords/common_passwords.zlib`` anew: ``make common-passwords``.

The sources, each a list with the most frequent first (the packages' versions are locked in deploy/):

- zxcvbn: passwords, English words and names. It has 30,000 passwords, and keeps each that is a word or a name
  (``jennifer``) in its lists of those alone, so all its lists are taken.
- jieba: Chinese words with their frequencies, as such and in pinyin without tones, which pypinyin writes.
- ``more_common_passwords.txt`` beside this script: what is common in China, and numbers that sound like words.

A word gets its best rank. The file holds a line for each, sorted, as UTF-8, compressed. Other versions of zlib may
write other bytes for the same text.
"""

import re
import zlib
from collections import Counter
from importlib.resources import files
from pathlib import Path

from pypinyin import lazy_pinyin
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from user_service.passwords.common_passwords import FILE, folded, rank_letter

HERE = Path(__file__).parent
_RAREST = 40  # Occurrences in jieba's corpus.
_HANZI = re.compile(r"[\u4e00-\u9fff]+")
_MOST_HANZI, _MOST_PINYIN = 10_000, 20_000
# Nobody counted the words of our own list. In passwords they are as frequent as the first hundred of other lists.
_RANK_OF_MORE = 100
# Even the most frequent word has this many rivals in a place where any word may stand.
_HEAD_START = 10


def chinese_words() -> tuple[list[str], list[str]]:
    """Return the most frequent words in Chinese characters, and the most frequent spellings in pinyin."""
    hanzi, pinyin = Counter[str](), Counter[str]()
    for line in files("jieba").joinpath("dict.txt").read_text(encoding="utf-8").splitlines():
        word, count, _ = line.split(" ")
        if int(count) >= _RAREST and _HANZI.fullmatch(word):
            hanzi[word] = int(count)
            pinyin["".join(lazy_pinyin(word))] += int(count)
    return [word for word, _ in hanzi.most_common(_MOST_HANZI)], [word for word, _ in pinyin.most_common(_MOST_PINYIN)]


def build() -> bytes:
    """Return the list as text."""
    more = (HERE / "more_common_passwords.txt").read_text(encoding="utf-8").split()
    ranks = dict.fromkeys(map(folded, more), _RANK_OF_MORE)
    for source in (*chinese_words(), *FREQUENCY_LISTS.values()):
        for rank, word in enumerate(map(folded, source), start=1):
            ranks[word] = min(rank, ranks.get(word, rank))
    lines = sorted(f"{word} {rank_letter(rank + _HEAD_START)}\n".encode() for word, rank in ranks.items())
    return b"".join(lines)


if __name__ == "__main__":
    (HERE / "user_service/passwords" / FILE).write_bytes(zlib.compress(build(), level=9))
