"""Marks the words of a query in texts, as parts: whoever shows them escapes each part."""

import re
import unicodedata
from dataclasses import dataclass

from news_service.articles.articles import Article
from news_service.search.terms import Query, text_of_html

_EXCERPT, _BEFORE = 120, 30


@dataclass(frozen=True)
class Part:
    """A part of a plain text, and whether it is one of the words that were searched for."""

    text: str
    is_match: bool


@dataclass(frozen=True)
class Highlights:
    """The title of a hit, and of its texts that which shows a word: the digest, else a piece of the content."""

    title: list[Part]
    excerpt: list[Part]


def highlight(article: Article, query: Query) -> Highlights:
    """Mark the words of a query in an article."""
    words = _pattern(query)
    excerpt = article.digest
    if not _matches(words, excerpt):
        content = " ".join(text_of_html(article.content).split())
        if found := _matches(words, content):
            start = max(0, found[0][0] - _BEFORE)
            excerpt = content[start : start + _EXCERPT]
    return Highlights(_parts(words, article.title), _parts(words, excerpt))


def _pattern(query: Query) -> re.Pattern[str]:
    # Longer words first: of two words that begin alike, the longer one is marked.
    words = sorted((r"[\W_]*".join(map(_run_pattern, word.runs)) for word in query.words), key=len, reverse=True)
    return re.compile("|".join(words))


def _run_pattern(run: str) -> str:
    return rf"(?<![a-z0-9]){run}(?![a-z0-9])" if run.isascii() else re.escape(run)


def _matches(words: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    """Return where the words stand, begin and end, in a text as it is written."""
    # The index was made of the whole text in NFKC; here each character becomes one or several, which keeps the places.
    shown = [unicodedata.normalize("NFKC", character).lower() for character in text]
    places = [place for place, characters in enumerate(shown) for _ in characters]
    found = words.finditer("".join(shown))
    return [(places[match.start()], places[match.end() - 1] + 1) for match in found if match.end() > match.start()]


def _parts(words: re.Pattern[str], text: str) -> list[Part]:
    parts, end = [], 0
    for first, last in _matches(words, text):
        if first < end:
            continue  # Two words in one character, as a ligature.
        parts += [Part(text[end:first], is_match=False), Part(text[first:last], is_match=True)]
        end = last
    parts.append(Part(text[end:], is_match=False))
    return [part for part in parts if part.text]
