import re
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from news_service.articles.tables import APPROVED
from news_service.writing.texts import make_digest, render_markdown

pytestmark = pytest.mark.any_database  # What is made of a text does not depend on it.

ATTACKS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='JaVa\tScRiPt:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<img src='https://evil.example/track.gif'>",
    "<img src='//evil.example/track.gif'>",
    "<img src='/images/../../evil'>",
    "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
    "<form action='https://evil.example'><button formaction='javascript:alert(1)'>x</button></form>",
    "<div style='background:url(javascript:alert(1))' class='x' id='page'>x</div>",
    "<base href='https://evil.example/'><meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<textarea></textarea><script>alert(1)</script>",
    "<!--><script>alert(1)</script>-->",
    "{{ 7 * 7 }}{% raw %}<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "[x](JAVASCRIPT:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](java\\nscript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    '[x](https://ok.example/ "title" onmouseover=alert(1)")',
    '[x](https://ok.example/ "\\" onmouseover=alert(1) \\"")',
    "[x]: javascript:alert(1)\n\n[x]",
    "<javascript:alert(1)>",
    '<https://ok.example/"onmouseover=alert(1)>',
    "![x](https://evil.example/track.gif)",
    "![x](javascript:alert(1))",
    '!["onerror=alert(1) x="](/images/a.webp)',
    "```html\n<script>alert(1)</script>\n```",
    '``` "><script>alert(1)</script>\nx\n```',
    "|a|\n|-|\n|<script>alert(1)</script>|",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]


class Elements(HTMLParser):
    """What a parser finds in a page: elements with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def dangers(page: str, *, is_whole_page: bool) -> list[Any]:
    """Return the elements that would run something, load something from elsewhere or send something there."""
    found = []
    for tag, attributes in Elements(page).found:
        addresses = [re.sub(r"[\x00-\x20]", "", str(attributes.get(name) or "")) for name in ("href", "src", "action")]
        runs = tag in {"iframe", "object", "embed", "base", "style"} or any(
            name.startswith("on") for name in attributes
        )
        runs |= any(re.match(r"(?i)(javascript|data|vbscript):", address) for address in addresses)
        source = attributes.get("src") or "/static/"  # The page's own picture of a captcha gets its address later.
        loads = tag == "img" and not source.startswith(("/images/", "/static/"))
        foreign = tag in {"script", "form", "meta", "svg", "math"} and not is_whole_page
        is_data = attributes == {"type": "application/ld+json"}  # The page's own; a browser runs nothing of it.
        foreign |= tag == "script" and not (is_data or str(attributes.get("src")).startswith("/static/"))
        if runs or loads or foreign or "style" in attributes:
            found.append((tag, attributes))
    return found


@pytest.mark.parametrize("form", ["markdown", "content"])
def test_no_field_runs_anything_in_a_readers_browser(
    author: Callable[..., TestResponse],
    client: FlaskClient,
    set_article: Callable[..., None],
    draft: Callable[..., Any],
    form: str,
) -> None:
    for attack in ATTACKS:
        plain = {"title": attack[:128], "source": attack[:64], "digest": attack[:500]}
        article = draft(**plain, **{form: attack})
        assert dangers(article["content"], is_whole_page=False) == [], attack
        set_article(article["id"], status=APPROVED, published_at=datetime(2026, 1, 1, tzinfo=UTC))
        assert dangers(client.get(f"/news/{article['id']}").text, is_whole_page=True) == [], attack
        assert client.get(f"/api/v1/news/{article['id']}").json["content"] == article["content"]
        if article["id"] % 10 == 0:  # As many as stand on the first page of the list.
            assert dangers(client.get("/").text, is_whole_page=True) == [], attack


def test_an_attack_that_is_refused_is_not_repeated(author: Callable[..., TestResponse]) -> None:
    for attack in ATTACKS:
        answer = author("POST", "/news", {"title": "x", "index_image_url": attack[:256]})
        assert (answer.status_code, answer.content_type) == (422, "application/problem+json"), attack
        assert attack not in answer.text
    assert author("GET", "/users/me/news").json["items"] == []


def test_markdown_becomes_what_it_means() -> None:
    assert render_markdown("# a\n\n*b* **c** ~~d~~ `e`") == (
        "<h2>a</h2>\n<p><em>b</em> <strong>c</strong> <s>d</s> <code>e</code></p>\n"
    )
    assert "<td>1</td>" in render_markdown("|a|\n|-|\n|1|")
    assert render_markdown("<b>x</b>") == "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"
    assert 'rel="noopener noreferrer nofollow"' in render_markdown("[x](https://a.example)")
    assert '<img src="/images/a.webp" alt="x">' in render_markdown("![x](/images/a.webp)")


@pytest.mark.parametrize(
    ("content", "digest"),
    [
        ("<p>一&amp;二</p><p>三</p>", "一&二 三"),
        ('<p title="a > b">文</p>', "文"),
        ("<p>\u200b&nbsp;</p>", ""),
        ("<p>&lt;script&gt;</p>", "<script>"),
        (f"<p>{'字' * 120}</p>", "字" * 120),
        (f"<p>{'字' * 121}</p>", f"{'字' * 119}…"),
    ],
)
def test_a_digest_is_the_beginning_of_the_text(content: str, digest: str) -> None:
    assert make_digest(content) == digest
