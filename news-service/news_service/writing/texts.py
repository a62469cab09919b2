"""What becomes of the texts that people write: Markdown becomes safe HTML, its beginning a missing digest."""

import re
from functools import cache

from markdown_it import MarkdownIt

from chassis.texts import free_text
from news_service.search.terms import text_of_html
from news_service.writing.sanitising import clean_html

MOST_MARKDOWN = 50_000
"""Characters. The parser takes up to 0.2 ms for one of them, if somebody wants it to (measured)."""

MOST_HTML = 200_000
DIGEST_LENGTH = 120
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def render_markdown(markdown: str) -> str:
    """Return safe HTML for CommonMark with tables and ~~deletions~~; HTML in it is shown as it was typed."""
    return clean_html(_parser().render(markdown))


def make_digest(content: str) -> str:
    """Return the beginning of safe HTML as a plain text of at most 120 characters; empty if nothing can be seen."""
    text = free_text(" ".join(text_of_html(content).split()))
    return text if len(text) <= DIGEST_LENGTH else f"{text[: DIGEST_LENGTH - 1].rstrip()}…"


def one_line(text: str) -> str:
    """Return a plain text as it is stored: visible characters, with one space where several stood, or a line end.

    Raises:
        ValueError: it holds control characters.
    """
    line = free_text(" ".join(text.split()))
    if _CONTROL.search(line):
        raise ValueError("control characters are not allowed")
    return line


def visible_line(text: str) -> str:
    """Return a text as `one_line`.

    Raises:
        ValueError: as in `one_line`, or nothing of it can be seen.
    """
    if not (line := one_line(text)):
        raise ValueError("use visible characters")
    return line
