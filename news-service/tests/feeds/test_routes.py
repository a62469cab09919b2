"""Feeds, sitemap and robots.txt as programs read them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any  # The stand-in of conftest.
from xml.etree import ElementTree

import atoma
import feedparser
import pytest
from flask.testing import FlaskClient
from usp.tree import sitemap_from_str

from news_service.articles.tables import DRAFT, IN_REVIEW, REJECTED, WITHDRAWN
from news_service.feeds.sitemap import IDS_PER_PART

SITE = "http://127.0.0.1:8000"
UNREADABLE = [{"status": status} for status in (DRAFT, IN_REVIEW, REJECTED, WITHDRAWN)]
HOSTILE = "<script>alert(1)</script> ]]> & \x0b\ufffe \U0001f4c8"
FEEDS = ("/feeds/news.atom", "/feeds/categories/2/news.atom")
ADD = Callable[..., int]


@pytest.fixture(params=[{"published_at": datetime.now(UTC) + timedelta(hours=1)}, *UNREADABLE])
def unreadable(request: pytest.FixtureRequest, add_article: ADD) -> int:
    """An article that the public may not read, beside one that it may."""
    add_article(user_id=7)
    return add_article(user_id=7, title="未公开", **request.param)


@pytest.mark.any_database
def test_a_feed_is_valid_and_whole(client: FlaskClient, add_article: ADD, user_service: Any) -> None:
    user_service.known = {7: "阿七"}
    old = add_article(published_at=datetime(2025, 1, 1, tzinfo=UTC), source="财经网")
    at = datetime(2025, 1, 2, tzinfo=UTC)
    new = add_article(title="新闻", digest="摘要", content="<p>正文</p>", user_id=7, published_at=at)
    answer = client.get("/feeds/news.atom")
    assert answer.content_type == "application/atom+xml; charset=utf-8"
    feed = atoma.parse_atom_bytes(answer.data)
    assert (feed.id_, feed.title.value, feed.updated) == (f"{SITE}/feeds/news.atom", "新经资讯", at)
    assert [entry.id_ for entry in feed.entries] == [f"{SITE}/news/{new}", f"{SITE}/news/{old}"]
    first = feed.entries[0]
    assert (first.title.value, first.summary.value, first.authors[0].name) == ("新闻", "摘要", "阿七")
    assert (first.content.value, first.published) == ("<p>正文</p>", at)
    assert feed.entries[1].authors[0].name == "财经网"
    read = feedparser.parse(answer.data)
    assert not read.bozo
    links = {link.rel: link.href for link in read.feed.links}
    assert links == {"self": f"{SITE}/feeds/news.atom", "alternate": f"{SITE}/"}


@pytest.mark.any_database
def test_an_empty_feed_is_valid(client: FlaskClient) -> None:
    assert atoma.parse_atom_bytes(client.get("/feeds/news.atom").data).entries == []


def test_a_feed_keeps_to_its_category_or_author(client: FlaskClient, add_article: ADD) -> None:
    bonds = add_article(category_id=3, user_id=7)
    stocks = add_article(category_id=2, user_id=8)
    feeds = {"categories/3": bonds, "categories/2": stocks, "authors/7": bonds, "authors/8": stocks}
    for path, article_id in feeds.items():
        feed = atoma.parse_atom_bytes(client.get(f"/feeds/{path}/news.atom").data)
        assert [entry.id_ for entry in feed.entries] == [f"{SITE}/news/{article_id}"], path
        assert feed.links[0].href == f"{SITE}/feeds/{path}/news.atom"


@pytest.mark.parametrize("path", ["categories/1", "categories/99", "authors/99", "authors/0", "authors/99999999999"])
def test_there_is_no_feed_of_nothing(client: FlaskClient, add_article: ADD, path: str) -> None:
    add_article()
    assert client.get(f"/feeds/{path}/news.atom").status_code == 404


def test_what_the_public_may_not_read_is_nowhere(client: FlaskClient, unreadable: int) -> None:
    for path in (*FEEDS, "/feeds/authors/7/news.atom", "/sitemaps/1/articles.xml"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert f"/news/{unreadable}<" not in answer.text, path
        assert "未公开" not in answer.text, path


@pytest.mark.any_database
@pytest.mark.parametrize("column", ["title", "digest", "source", "content"])
def test_a_hostile_text_stays_a_text(client: FlaskClient, add_article: ADD, column: str) -> None:
    add_article(**{column: HOSTILE})
    answer = client.get("/feeds/news.atom")
    entry = ElementTree.fromstring(answer.data).find("{*}entry")
    assert entry is not None
    texts = {element.tag.rpartition("}")[2]: element.text for element in entry.iter()}
    name = "name" if column == "source" else "summary" if column == "digest" else column
    assert texts[name] == "<script>alert(1)</script> ]]> & " + " \U0001f4c8"
    assert b"<script" not in answer.data


@pytest.mark.any_database
def test_an_edited_article_is_updated_and_a_viewed_one_is_not(client: FlaskClient, add_article: ADD) -> None:
    published, later = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)
    add_article(published_at=published, update_time=later)
    add_article(published_at=published - timedelta(1), update_time=later, version=2)
    entries = atoma.parse_atom_bytes(client.get("/feeds/news.atom").data).entries
    assert [entry.updated for entry in entries] == [published, later]


def test_the_sitemap_names_every_article_once(client: FlaskClient, add_article: ADD) -> None:
    ids = [add_article(id=number) for number in (1, IDS_PER_PART, IDS_PER_PART + 1, 7 * IDS_PER_PART + 5)]
    index = client.get("/sitemap.xml")
    assert index.content_type == "application/xml; charset=utf-8"
    parts = [element.text or "" for element in ElementTree.fromstring(index.data).findall(".//{*}loc")]
    assert parts == [f"{SITE}/sitemaps/{name}.xml" for name in ("lists", "1/articles", "2/articles", "8/articles")]
    found = []
    for part in parts[1:]:
        pages = list(sitemap_from_str(client.get(part.removeprefix(SITE)).text).all_pages())
        assert all(page.last_modified for page in pages)
        found += [page.url for page in pages]
    assert found == [f"{SITE}/news/{number}" for number in ids]
    lists = sitemap_from_str(client.get("/sitemaps/lists.xml").text).all_pages()
    assert [page.url for page in lists][:2] == [f"{SITE}/", f"{SITE}/?category=2"]


@pytest.mark.any_database
@pytest.mark.parametrize("number", ["0", "2", "50001", "99999999999999999999"])
def test_a_part_without_articles_is_not_there(client: FlaskClient, add_article: ADD, number: str) -> None:
    add_article()
    assert client.get(f"/sitemaps/{number}/articles.xml").status_code == 404


@pytest.mark.any_database
def test_robots_learn_where_the_sitemap_is(client: FlaskClient) -> None:
    answer = client.get("/robots.txt")
    assert answer.content_type == "text/plain; charset=utf-8"
    assert "Disallow: /api/\n" in answer.text
    assert answer.text.endswith(f"\n\nSitemap: {SITE}/sitemap.xml\n")


@pytest.mark.any_database
@pytest.mark.parametrize(
    "path", [*FEEDS, "/sitemap.xml", "/sitemaps/lists.xml", "/sitemaps/1/articles.xml", "/robots.txt"]
)
def test_what_did_not_change_is_a_304_and_may_be_kept(client: FlaskClient, add_article: ADD, path: str) -> None:
    add_article()
    first = client.get(path)
    assert "max-age" in first.headers["CDN-Cache-Control"]
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
