"""Marked words in the texts of hits."""

from datetime import UTC, datetime

import pytest

from news_service.articles.articles import Article
from news_service.search.highlights import highlight
from news_service.search.terms import read_query


def article(*, title: str = "", digest: str = "", content: str = "") -> Article:
    """An article with these texts."""
    return Article(
        id=1, title=title, source="s", digest=digest, content=content, index_image_url=None, category_id=None,
        author_id=None, clicks=0, comment_count=0, published_at=(at := datetime(2026, 1, 1, tzinfo=UTC)), updated_at=at,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("title", "typed", "marked"),
    [
        ("上海房地产上海", "上海", "[上海]房地产[上海]"),
        ("上海房地产", "房地 上海", "[上海][房地]产"),
        ("ＣＨＩＰ chips", "chip", "[ＣＨＩＰ] chips"),
        ("C919-大飞机", "c919大飞", "[C919-大飞]机"),
        ("㈱ﬁne", "fi ne fine", "㈱[ﬁne]"),
        ("上海", "北京", "上海"),
        ("<b>&amp;", "b", "<[b]>&amp;"),
    ],
)
def test_words_are_marked_as_they_are_written(title: str, typed: str, marked: str) -> None:
    parts = highlight(article(title=title), read_query(typed)).title
    assert "".join(f"[{part.text}]" if part.is_match else part.text for part in parts) == marked
    assert "".join(part.text for part in parts) == title


def test_the_excerpt_is_the_digest_or_a_piece_of_the_text_around_the_word() -> None:
    query = read_query("房产")
    content = f"<p>{'一' * 100}房产{'二' * 200}</p>"
    assert [part.text for part in highlight(article(digest="说房产", content=content), query).excerpt] == ["说", "房产"]
    piece = highlight(article(digest="说别的", content=content), query).excerpt
    assert [part.text for part in piece] == ["一" * 30, "房产", "二" * 88]
    assert [part.text for part in highlight(article(digest="说别的"), query).excerpt] == ["说别的"]
