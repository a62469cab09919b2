"""What is searched for: a text's words, and the terms by which every database finds them.

A word of ASCII letters and digits is one term. A run of other letters (Chinese is written without spaces) becomes
overlapping pairs, each written as ``u`` and the hex codes of both characters, so that a full-text index of any database
takes it for one ordinary word.
"""

import hashlib
import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from chassis.errors import FieldError, RequestInvalid
from chassis.texts import drop_ignorable

MOST_CHARACTERS = 16_000
"""Of an article's text, so that its index row stays small."""
MOST_WORDS = 8
_RUN = re.compile(r"[a-z0-9]+|[^\W_a-z0-9]+")
# As nh3 writes tags: attributes in double quotes, in which any > may stand.
_TAG = re.compile(r'<(/?[a-z0-9]*)(?:[^>"]|"[^"]*")*>', re.IGNORECASE)
# Tags within a word; every other one ends it.
_INLINE = {"a", "b", "code", "del", "em", "i", "ins", "mark", "s", "small", "span", "strong", "sub", "sup", "u"}
_LONGEST_TERM = 64  # MariaDB leaves out what is longer than 84.


def text_of_html(content: str) -> str:
    """Return the text of safe HTML; a tag that ends a line ends a word, too."""
    return html.unescape(_TAG.sub(lambda tag: "" if tag[1].strip("/").lower() in _INLINE else " ", content))


def plain_runs(text: str) -> list[str]:
    """Return the runs of a text: words of ASCII in lower case, and runs of other letters and digits, in NFKC."""
    return _RUN.findall(unicodedata.normalize("NFKC", drop_ignorable(text)).lower())


def search_terms(text: str) -> list[str]:
    """Return the terms of a text in its order: ASCII words, pairs of other characters, or one that stands alone."""
    return [term for run in plain_runs(text) for term in _terms_of_run(run)]


def index_text(title: str, text: str) -> str:
    """Write what is stored of an article: the runs of its title, a bar, the runs of its text, between spaces."""
    plain = " ".join(["", *plain_runs(title), "|", *plain_runs(text)])
    return plain[:MOST_CHARACTERS] + " "


def index_terms(stored: str) -> list[str]:
    """Return the terms under which the index keeps an `index_text`, each once, in a fixed order.

    ``w0`` stands before words, because MariaDB leaves out short ones and common English ones. The characters of the
    title are terms of their own, after ``c``, for a search for one character.
    """
    title, _, text = stored.partition("|")
    found = {f"c{ord(character):04x}" for run in title.split() if not run.isascii() for character in run}
    for run in (*title.split(), *text.split()):
        found |= _indexed_terms(run)
    return sorted(found)


@dataclass(frozen=True)
class Word:
    """One word of a query: ``pattern`` is the LIKE pattern that an `index_text` fits exactly if it has the word.

    ``terms`` are terms of the index that such a text has, and possibly others have, too. ``runs`` are its characters.
    """

    runs: tuple[str, ...]
    pattern: str
    terms: frozenset[str]


@dataclass(frozen=True)
class Query:
    """What a reader looks for: articles that have every one of the words."""

    words: tuple[Word, ...]

    @property
    def terms(self) -> list[str]:
        """The terms of the index that a hit has."""
        return sorted({term for word in self.words for term in word.terms})

    @property
    def name(self) -> str:
        """A short name of this query, for cursors."""
        return hashlib.sha256("\n".join(word.pattern for word in self.words).encode()).hexdigest()[:16]


def read_query(text: str) -> Query:
    """Read what a reader typed.

    Raises:
        RequestInvalid: it has no letter and no digit, or too many words.
    """
    words = tuple(
        word for runs in dict.fromkeys(tuple(plain_runs(each)) for each in text.split()) for word in _words(runs)
    )
    if not words:
        raise RequestInvalid(errors=[FieldError("q", "query_empty", "Search for a letter or a digit.")])
    if len(words) > MOST_WORDS:
        raise RequestInvalid(errors=[FieldError("q", "query_too_long", f"Search for at most {MOST_WORDS} words.")])
    return Query(words)


def _words(runs: tuple[str, ...]) -> Iterator[Word]:
    """Make one word of what stood between two spaces; characters that stand alone between signs become several."""
    # A character beside an ASCII word may begin or end a longer run of a text, so that it is no term.
    terms = {term for run in runs if run.isascii() or len(run) > 1 for term in _indexed_terms(run)}
    if not terms:
        # One character is searched for in the title alone: in texts it is nearly everywhere.
        yield from (Word((run,), f"%{run}%|%", frozenset({f"c{ord(run):04x}"})) for run in runs)
        return
    before, after = (" " if run.isascii() else "" for run in (runs[0], runs[-1]))
    yield Word(runs, f"%{before}{' '.join(runs)}{after}%", frozenset(terms))


def _terms_of_run(run: str) -> list[str]:
    if run.isascii():
        return [run]
    pairs = [f"u{ord(first):04x}{ord(second):04x}" for first, second in pairwise(run)]
    return pairs or [f"u{ord(run):04x}"]


def _indexed_terms(run: str) -> set[str]:
    return {f"w0{run[:_LONGEST_TERM]}"} if run.isascii() else set(_terms_of_run(run))
