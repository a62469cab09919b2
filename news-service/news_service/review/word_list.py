"""The operator's list of words: a text with one of them waits for a reviewer, or is refused.

The file has one word a line, in UTF-8. A text that holds ``word`` waits, one that holds ``!word`` is refused. Empty
lines and lines that begin with ``#`` say nothing. Case, full-width forms, invisible characters and the amount of white
space make no difference. A side of a word that is a letter or a digit must be the border of a word in the text. Han,
kana and hangul are found anywhere, because these scripts have no spaces between words.

A word that is pulled apart (``法 轮 功``, ``v.i.a.g.r.a``) makes the text wait, also if the list refuses it. The end of
one word and the start of the next may look the same (``买卖 国家``), and only a person can tell. Marks that end a
clause are not looked through. Traditional for simplified characters, digits for letters, and look-alike letters of
other scripts are not found; an operator writes such spellings into the list.
"""

import enum
import re
import threading
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # An automaton: pyahocorasick has no types.

from ahocorasick import Automaton
from structlog import get_logger

from chassis.texts import drop_ignorable
from news_service.review.metrics import WORD_LIST_REFUSED

log = get_logger(__name__)
LARGEST_FILE_BYTES = 4 * 1024 * 1024
MOST_WORDS = 50_000
LONGEST_WORD = 64
_MOST_PROBLEMS = 20
_ANYWHERE = r"\u2e80-\u2fdf\u3005-\u3007\u3041-\u30fa\u30fc-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
_IS_ANYWHERE = re.compile(f"[{_ANYWHERE}]")
_SEPARATOR = r"(?:[^\w,!?;:，。！？；：、]|_)"
# Separators beside Han, kana or hangul, and those between two single letters. None begins inside a run of separators,
# so that the time grows with the text and not with its square.
_PULLED_APART = re.compile(
    rf"(?<=[{_ANYWHERE}]){_SEPARATOR}++"
    rf"|(?<!{_SEPARATOR}){_SEPARATOR}++(?=[{_ANYWHERE}])"
    rf"|(?:(?<=^[^\W_])|(?<=[\W_{_ANYWHERE}][^\W_])){_SEPARATOR}++(?=[^\W_](?:[\W_{_ANYWHERE}]|$))"
)


class Verdict(enum.Enum):
    """What happens to a text."""

    PASS = "pass"
    HOLD = "hold"
    REFUSE = "refuse"


class WordListRefused(ValueError):
    """The file is no word list; ``problems`` say where, a line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class _Word:
    length: int
    is_refused: bool


class WordList:
    """The words of a file, read again when the file has changed; without a file every text passes.

    Threads may share it. A file that is wrong, or away, while the service runs leaves the old words in force.
    """

    def __init__(self, path: Path | None) -> None:
        """Read the file.

        Raises:
            WordListRefused: it cannot be read, or a line is wrong.
        """
        self._path = path
        self._reloading = threading.Lock()
        self._seen = _signature(path) if path else None
        self._automaton: Any = read_words(path) if path else None

    def check(self, text: str) -> Verdict:
        """Say what happens to a plain text (no HTML, whose marks would hide a word)."""
        self._reload()
        automaton = self._automaton
        if automaton is None:
            return Verdict.PASS
        written = _normalised(text)
        is_refused, is_held = _search(automaton, written)
        if is_refused:
            return Verdict.REFUSE
        together = _PULLED_APART.sub("", written)
        if is_held or (together != written and any(_search(automaton, together))):
            return Verdict.HOLD
        return Verdict.PASS

    def _reload(self) -> None:
        # One thread reads the file; the others go on with the words that are in force.
        if self._path is None or _signature(self._path) == self._seen or not self._reloading.acquire(blocking=False):
            return
        try:
            self._seen = _signature(self._path)
            self._automaton = read_words(self._path)
            WORD_LIST_REFUSED.set(0)
            log.info("word_list_read")
        except WordListRefused as refused:
            WORD_LIST_REFUSED.set(1)
            log.warning("word_list_refused", problems=refused.problems)
        finally:
            self._reloading.release()


def read_words(path: Path) -> Any:
    """Make the automaton of a file's words, or None if it has none.

    Raises:
        WordListRefused: the file cannot be read or is too large, or a line is wrong.
    """
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise WordListRefused([f"{path}: larger than {LARGEST_FILE_BYTES} bytes"])
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    except OSError as error:
        raise WordListRefused([f"{path}: {error.strerror}"]) from error
    words = [(number, line) for number, line in enumerate(lines, start=1) if line.strip() and not line.startswith(b"#")]
    if len(words) > MOST_WORDS:
        raise WordListRefused([f"{path}, line {words[MOST_WORDS][0]}: is one more than {MOST_WORDS} words"])
    automaton, problems = Automaton(), []
    for number, line in words:
        try:
            _add_line(automaton, line.decode())
        except ValueError as error:  # UnicodeDecodeError is one.
            reason = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else error
            problems.append(f"{path}, line {number}: {reason}")
    if problems:
        raise WordListRefused(problems[:_MOST_PROBLEMS])
    if not len(automaton):
        return None
    automaton.make_automaton()
    return automaton


def _add_line(automaton: Any, line: str) -> None:
    is_refused = line.startswith("!")
    word = _normalised(line.removeprefix("!")).strip()
    if not re.search(r"[^\W_]", word):
        raise ValueError("holds no letter and no digit")
    if len(word) > LONGEST_WORD:
        raise ValueError(f"is longer than {LONGEST_WORD} characters")
    for form in {word, _PULLED_APART.sub("", word)}:
        # Of two lines with one word, the stricter one counts.
        known = automaton.get(form, None)
        automaton.add_word(form, _Word(len(form), is_refused or (known is not None and known.is_refused)))


def _normalised(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", drop_ignorable(text)).casefold())
    return re.sub(r"\s+", " ", folded)


def _search(automaton: Any, text: str) -> tuple[bool, bool]:
    """Say whether a text holds a word that refuses it, and whether it holds any word."""
    is_held = False
    for end, word in automaton.iter(text):
        if _is_bordered(text, end - word.length + 1, end):
            if word.is_refused:
                return True, True
            is_held = True
    return False, is_held


def _is_bordered(text: str, first: int, last: int) -> bool:
    return not (first > 0 and _continues(text[first - 1], text[first])) and not (
        last + 1 < len(text) and _continues(text[last], text[last + 1])
    )


def _continues(left: str, right: str) -> bool:
    return left.isalnum() and right.isalnum() and not (_IS_ANYWHERE.match(left) or _IS_ANYWHERE.match(right))


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
