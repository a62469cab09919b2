"""Reading: lists, articles and pages, for somebody who is not signed in."""

import html
from collections.abc import Callable
from typing import Any

import pytest

Get = Callable[..., Any]
ITEM_FIELDS = {
    "id",
    "title",
    "source",
    "digest",
    "index_image_url",
    "category_id",
    "author",
    "clicks",
    "comment_count",
    "published_at",
}


@pytest.fixture
def pages(app: Get) -> Callable[..., list[list[dict[str, Any]]]]:
    """Follow the cursors of a list to its end."""

    def follow(**query: Any) -> list[list[dict[str, Any]]]:
        found, cursor = [], None
        while True:
            answer = app("GET", "/api/v1/news", params={**query, **({"cursor": cursor} if cursor else {})})
            assert answer.status_code == 200, answer.text
            found.append(answer.json()["items"])
            cursor = answer.json()["next_cursor"]
            if cursor is None:
                return found
            assert len(found) < 1000

    return follow


def test_the_six_categories_of_the_course_are_there(app: Get) -> None:
    answer = app("GET", "/api/v1/categories")
    assert answer.status_code == 200
    names = {item["id"]: item["name"] for item in answer.json()["items"]}
    assert names[1] == "最新"
    assert {"股市", "债市", "商品", "外汇", "公司"} <= set(names.values())


def test_cursor_pages_have_no_gaps_and_no_repeats(pages: Get) -> None:
    small = pages(limit=7)
    ids = [item["id"] for page in small for item in page]
    assert all(len(page) == 7 for page in small[:-1])
    assert len(ids) == len(set(ids))
    assert ids == [item["id"] for page in pages(limit=50) for item in page]
    assert len(ids) >= 30


def test_the_newest_come_first(pages: Get) -> None:
    times = [item["published_at"] for page in pages(limit=50) for item in page]
    assert times == sorted(times, reverse=True)
    assert all(time.endswith("Z") for time in times)


def test_an_item_has_the_promised_fields(app: Get) -> None:
    for item in app("GET", "/api/v1/news", params={"limit": 3}).json()["items"]:
        assert item.keys() >= ITEM_FIELDS


def test_a_category_lists_its_own_articles_only(app: Get, pages: Get) -> None:
    categories = [item["id"] for item in app("GET", "/api/v1/categories").json()["items"] if item["id"] != 1]
    for category in categories:
        listed = [item for page in pages(category=category, limit=50) for item in page]
        assert listed
        assert {item["category_id"] for item in listed} == {category}


def test_the_category_latest_is_everything(pages: Get) -> None:
    everything = [item["id"] for page in pages(limit=50) for item in page]
    assert [item["id"] for page in pages(category=1, limit=50) for item in page] == everything


def test_an_article_adds_its_content_to_its_item(app: Get) -> None:
    item = app("GET", "/api/v1/news", params={"limit": 1}).json()["items"][0]
    answer = app("GET", f"/api/v1/news/{item['id']}")
    assert answer.status_code == 200
    article = answer.json()
    assert article["title"] == item["title"]
    assert article["content"]
    assert "<script" not in article["content"].lower()
    assert (article["is_favourite"], article["is_following_author"]) == (False, False)


@pytest.mark.parametrize("news_id", ["999999999", "0", "abc", "1x", "-1", "99999999999999999999"])
def test_what_is_no_article_is_a_404_problem(app: Get, news_id: str) -> None:
    answer = app("GET", f"/api/v1/news/{news_id}")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["errno"]) == ("not_found", "4002")


@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": 1000}, {"limit": "x"}, {"order": "random"}, {"category": "x"}, {"cursor": "made up"}],
)
def test_a_wrong_query_is_named(app: Get, query: dict[str, Any]) -> None:
    answer = app("GET", "/api/v1/news", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    assert [wrong["field"] for wrong in answer.json()["errors"]] == list(query)


def test_reading_is_counted_by_a_post(app: Get) -> None:
    item = app("GET", "/api/v1/news", params={"limit": 1}).json()["items"][0]
    assert app("POST", f"/api/v1/news/{item['id']}/views").status_code == 204


def test_the_home_page_holds_the_newest_articles(app: Get) -> None:
    page = app("GET", "/")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    text = html.unescape(page.text)
    for item in app("GET", "/api/v1/news", params={"limit": 5}).json()["items"]:
        assert item["title"] in text
        assert f"/news/{item['id']}" in text


def test_no_cache_keeps_a_page_that_clears_the_cookies_of_an_ended_session(app: Get, register: Get) -> None:
    person, shared = register(), "public, max-age=30, stale-while-revalidate=300"
    assert app("DELETE", "/api/v1/sessions/current", token=person.access_token).status_code == 204
    dead = {"Cookie": f"xinjing_at=expired; xinjing_rt={person.refresh_token}"}
    item = app("GET", "/api/v1/news", params={"limit": 1}).json()["items"][0]
    for path in ("/", f"/news/{item['id']}", f"/api/v1/news/{item['id']}"):
        cleared, anonymous = app("GET", path, headers=dead), app("GET", path)
        assert (cleared.status_code, cleared.headers["Cache-Control"]) == (200, "private, no-store")
        cookies = cleared.raw.headers.getlist("Set-Cookie")
        assert [cookie.partition("Max-Age=0")[0] for cookie in cookies] == ["xinjing_at=; ", "xinjing_rt=; "]
        assert (anonymous.headers["Cache-Control"], "Set-Cookie" in anonymous.headers) == (shared, False)


def test_an_article_page_reads_without_script(app: Get) -> None:
    item = app("GET", "/api/v1/news", params={"limit": 1}).json()["items"][0]
    page = app("GET", f"/news/{item['id']}")
    assert page.status_code == 200
    assert item["title"] in html.unescape(page.text)


def test_a_page_that_is_not_there_is_a_page_for_people(app: Get) -> None:
    page = app("GET", "/news/999999999", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert page.headers["Content-Type"].startswith("text/html")


def test_the_icon_is_there(app: Get) -> None:
    icon = app("GET", "/favicon.ico")
    assert icon.status_code == 200
    assert icon.headers["Content-Type"].startswith("image/")
