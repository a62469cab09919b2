"""The web pages as a browser gets them."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import news_service
from news_service.pages.responses import CONTENT_SECURITY_POLICY
from news_service.pages.routes import PAGE_SIZE

pytestmark = pytest.mark.any_database  # The tests of the API read the lists behind the pages from every database.
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
HOSTILE = '<script>alert("1")</script><img src=x onerror=alert(2)>'
PACKAGE = Path(news_service.__file__).parent
SIGNED_IN_HEADERS = Callable[..., dict[str, str]]


@pytest.fixture
def signed_in(called_by: SIGNED_IN_HEADERS) -> dict[str, str]:
    """Headers of a browser whose reader is signed in as user 7."""
    return BROWSER | called_by("news-service", user_id=7)


def _asset_url(client: FlaskClient, name: str) -> str:
    stem, suffix = name.split(".")
    found = re.search(rf"/static/{stem}\.[0-9a-f]+\.{suffix}", client.get("/").text)
    assert found
    return found[0]


def test_the_home_page_lists_the_newest_articles_first(client: FlaskClient, add_article: Callable[..., int]) -> None:
    old = add_article(title="旧闻", published_at=datetime(2025, 1, 1, tzinfo=UTC))
    new = add_article(title="新闻", published_at=datetime(2025, 1, 2, tzinfo=UTC))
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    stories = re.findall(r'<h2><a href="/news/(\d+)">', answer.text)
    assert stories == [str(new), str(old)]


def test_an_empty_site_has_a_home_page(client: FlaskClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert "这里还没有文章" in answer.text


def test_drafts_are_on_no_page(client: FlaskClient, add_article: Callable[..., int]) -> None:
    draft = add_article(title="草稿", status=2)
    assert "草稿" not in client.get("/").text
    assert client.get(f"/news/{draft}").status_code == 404


def test_a_category_shows_its_own_articles_and_is_marked(client: FlaskClient, add_article: Callable[..., int]) -> None:
    add_article(title="股市一篇", category_id=2)
    add_article(title="债市一篇", category_id=3)
    page = client.get("/?category=3").text
    assert re.findall(r'<h2><a href="/news/\d+">(.+?)</a>', page) == ["债市一篇"]
    assert '<a href="/?category=3" aria-current="page">债市</a>' in page
    assert "<title>债市 · 新经资讯</title>" in page


def test_the_category_newest_means_all(client: FlaskClient, add_article: Callable[..., int]) -> None:
    add_article(title="股市一篇")
    page = client.get("/?category=1").text
    assert "股市一篇" in page
    assert page.count(">最新</a>") == 1


def test_next_page_is_a_link_until_the_list_ends(client: FlaskClient, add_article: Callable[..., int]) -> None:
    for _ in range(PAGE_SIZE + 1):
        add_article(category_id=2)
    first = client.get("/?category=2").text
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link
    second = client.get(link[1].replace("&amp;", "&")).text
    assert re.findall(r'<h2><a href="/news/(\d+)">', second) == ["1"]
    assert 'rel="next"' not in second
    assert '<a class="button quiet" href="/?category=2">回到第一页</a>' in second


@pytest.mark.parametrize("query", ["category=99", "cursor=broken"])
def test_a_wrong_address_of_a_list_is_a_page_with_a_way_home(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/?{query}", headers=BROWSER)
    assert 400 <= answer.status_code < 500
    assert answer.mimetype == "text/html"
    assert 'href="/">回到首页</a>' in answer.text


def test_the_ranking_shows_six_articles(client: FlaskClient, add_article: Callable[..., int]) -> None:
    for number in range(8):
        add_article(clicks=number, hot_score=number)
    ranking = client.get("/").text.partition('class="ranking"')[2]
    assert re.findall(r'<a href="/news/(\d+)">', ranking) == ["8", "7", "6", "5", "4", "3"]


def test_an_article_is_shown_with_its_content_and_its_author(
    client: FlaskClient, add_article: Callable[..., int], user_service: object
) -> None:
    user_service.known[12] = "林间小路"  # type: ignore[attr-defined]
    number = add_article(title="题目", content="<p>正文 <strong>重点</strong></p>", user_id=12, category_id=4)
    page = client.get(f"/news/{number}").text
    assert "<h1>题目</h1>" in page
    assert "<p>正文 <strong>重点</strong></p>" in page
    assert "<span>林间小路</span>" in page
    assert '<a href="/?category=4" aria-current="true">商品</a>' in page
    assert f'<x-view data-url="/api/v1/news/{number}/views">' in page


def test_hostile_texts_are_only_texts(
    client: FlaskClient, add_article: Callable[..., int], user_service: object
) -> None:
    user_service.known[12] = HOSTILE  # type: ignore[attr-defined]
    number = add_article(title=HOSTILE, digest=HOSTILE, source=HOSTILE, index_image_url='"><script>', user_id=12)
    for page in (client.get("/").text, client.get(f"/news/{number}").text):
        assert "<script>" not in page
        assert "<img" not in page.replace(_captcha_pictures(page), "")
        assert "&lt;script&gt;" in page


def _captcha_pictures(page: str) -> str:
    return page[page.index('<dialog id="login"') :]


def test_a_picture_of_another_site_is_replaced_by_a_drawing(
    client: FlaskClient, add_article: Callable[..., int]
) -> None:
    add_article(index_image_url="http://img.example.com/a.jpg")
    page = client.get("/").text
    assert "img.example.com" not in page
    assert '<svg class="cover cover-stocks' in page


def test_a_picture_of_our_own_is_shown(client: FlaskClient, add_article: Callable[..., int]) -> None:
    add_article(index_image_url="/images/a.webp")
    assert 'src="/images/a.webp"' in client.get("/").text


def test_nobody_signed_in_sees_the_dialogs_and_a_page_that_may_be_kept(client: FlaskClient) -> None:
    answer = client.get("/")
    assert 'data-dialog="login"' in answer.text
    assert '<dialog id="register"' in answer.text
    assert answer.headers["Cache-Control"] == "public, max-age=30, stale-while-revalidate=300"
    assert answer.headers["CDN-Cache-Control"] == "max-age=5, stale-while-revalidate=10, stale-if-error=600"
    assert answer.headers["Vary"] == "Cookie"


def test_a_signed_in_reader_sees_the_nick_name_on_a_private_page(
    client: FlaskClient, signed_in: dict[str, str], user_service: object
) -> None:
    user_service.known[7] = "读者甲"  # type: ignore[attr-defined]
    answer = client.get("/", headers=signed_in)
    assert '<span class="nick-name">读者甲</span>' in answer.text
    assert "<dialog" not in answer.text
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "CDN-Cache-Control" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/?category=2", "/news/1"])
def test_a_page_for_everybody_is_sent_again_only_if_it_changed(
    client: FlaskClient, add_article: Callable[..., int], path: str
) -> None:
    add_article(category_id=2)
    first = client.get(path)
    known = {"If-None-Match": first.headers["ETag"]}
    again = client.get(path, headers=known)
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert again.headers["Vary"] == first.headers["Vary"]
    assert client.head(path, headers=known).status_code == 304
    add_article(title="快讯", category_id=2, hot_score=1)
    changed = client.get(path, headers=known)
    assert (changed.status_code, "快讯" in changed.text) == (200, True)
    assert client.get(path, headers=known | {"Cookie": "theme=dark"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/news/1"])
def test_a_page_with_a_readers_name_has_no_validator(
    client: FlaskClient, signed_in: dict[str, str], add_article: Callable[..., int], path: str
) -> None:
    add_article()
    answer = client.get(path, headers=signed_in | {"If-None-Match": client.get(path).headers["ETag"]})
    assert (answer.status_code, answer.headers.get("ETag")) == (200, None)


def test_a_missing_page_has_no_validator(client: FlaskClient) -> None:
    assert "ETag" not in client.get("/news/999", headers=BROWSER).headers


@pytest.mark.parametrize("number", ["01", "0000001"])
def test_an_article_has_one_address(client: FlaskClient, add_article: Callable[..., int], number: str) -> None:
    add_article()
    answers = client.get(f"/news/{number}"), client.get(f"/news/{number}?from=a&b=%26")
    assert [answer.status_code for answer in answers] == [308, 308]
    assert [answer.headers["Location"] for answer in answers] == ["/news/1", "/news/1?from=a&b=%26"]
    assert client.get("/news/007", headers=BROWSER).status_code == 404


def test_names_are_asked_for_in_one_call(
    client: FlaskClient, signed_in: dict[str, str], add_article: Callable[..., int], user_service: object
) -> None:
    number = add_article(user_id=12)
    client.get(f"/news/{number}", headers=signed_in)
    assert user_service.asked == [[7, 12]]  # type: ignore[attr-defined]


def test_a_page_is_answered_while_user_service_fails(
    client: FlaskClient, signed_in: dict[str, str], user_service: object
) -> None:
    user_service.status = 503  # type: ignore[attr-defined]
    answer = client.get("/", headers=signed_in)
    assert answer.status_code == 200
    assert '<span class="nick-name">已登录</span>' in answer.text


def test_the_look_follows_the_cookie(client: FlaskClient) -> None:
    assert "data-theme" not in client.get("/").text.partition(">")[2].partition(">")[0]
    client.set_cookie("theme", "dark")
    page = client.get("/").text
    assert '<html lang="zh-CN" data-theme="dark">' in page
    assert '<meta name="color-scheme" content="dark">' in page


def test_an_unknown_look_is_ignored(client: FlaskClient) -> None:
    client.set_cookie("theme", "x onload=alert")
    assert '<html lang="zh-CN">' in client.get("/").text


@pytest.mark.parametrize("path", ["/", "/news/1", "/news/999", "/nowhere"])
def test_every_page_has_the_strict_policy_and_nothing_inline(
    client: FlaskClient, add_article: Callable[..., int], path: str
) -> None:
    add_article()
    answer = client.get(path, headers=BROWSER)
    assert answer.mimetype == "text/html"
    assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", answer.text)
    # JSON-LD is data: a browser runs nothing of it.
    assert re.findall(r'<script(?! type="application/ld)[^>]*>[^<]*</script>', answer.text) == [
        f'<script type="module" src="{_asset_url(client, "app.js")}"></script>'
    ]


def test_a_missing_page_is_friendly_to_browsers(client: FlaskClient) -> None:
    answer = client.get("/news/999", headers=BROWSER)
    assert answer.status_code == 404
    assert "这一页不在这里" in answer.text
    assert answer.headers["X-Request-Id"] in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/v1/news/999", "/static/app.css", "/internal/nothing"])
def test_outside_the_pages_a_browser_gets_a_problem(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("accept", ["*/*", "application/json, text/html", "text/html;q=0.8, application/json"])
def test_a_program_gets_a_problem_for_a_missing_page(client: FlaskClient, accept: str) -> None:
    assert client.get("/news/999", headers={"Accept": accept}).mimetype == "application/problem+json"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("app.css", "text/css"),
        ("app.js", "text/javascript"),
        ("proof.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_static_files_are_kept_for_ever_under_their_hash(client: FlaskClient, name: str, media_type: str) -> None:
    answer = client.get(_asset_url(client, name))
    assert answer.data == (PACKAGE / "pages" / "static" / name).read_bytes()
    assert answer.mimetype == media_type
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"
    again = client.get(_asset_url(client, name), headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("name", ["app.css", "app.000000000000.css", "..%2Fapp.py", "nothing"])
def test_a_static_name_without_its_hash_is_unknown(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


def test_the_icon_stands_at_its_usual_address(client: FlaskClient) -> None:
    answer = client.get("/favicon.ico")
    assert answer.status_code == 200
    assert answer.data.startswith(b"\x00\x00\x01\x00")
    assert answer.headers["Cache-Control"] == "public, max-age=86400"


def test_only_bodies_of_articles_and_covers_are_written_as_markup() -> None:
    sources = [*PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.py")]
    trusting = [
        (path.name, line.partition("  #")[0].strip())
        for path in sources
        for line in path.read_text().splitlines()
        if re.search(r"\|\s*safe\b|Markup\(|autoescape", line)
    ]
    assert trusting == [
        ("article.html", '<div class="body">{{ article.content | safe }}</div>'),
        ("covers.py", 'return cover.motif, Markup("".join(map(_element, cover.shapes)))'),
    ]


@pytest.mark.parametrize("name", ["app.js", "proof.js"])
def test_no_script_makes_markup_from_text(name: str) -> None:
    script = (PACKAGE / "pages" / "static" / name).read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|[一-鿿]", script)


def test_an_article_tells_programs_what_it_is(client: FlaskClient, add_article: Callable[..., int]) -> None:
    title = f"标题{HOSTILE}"
    article = add_article(title=title, digest="摘要", source="财经网", index_image_url="/images/a.webp", user_id=7)
    page = client.get(f"/news/{article}").text
    address = f"http://127.0.0.1:8000/news/{article}"
    assert f'<link rel="canonical" href="{address}">' in page
    found = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    assert len(found) == 1
    described = json.loads(found[0])
    assert described["@type"] == "NewsArticle"
    assert (described["headline"], described["url"]) == (title[:110], address)
    assert described["image"] == ["http://127.0.0.1:8000/images/a.webp"]
    assert described["author"] == {"@type": "Organization", "name": "财经网"}
    properties = dict(re.findall(r'<meta property="([a-z:_]+)" content="([^"]*)">', page))
    assert (properties["og:url"], properties["og:type"]) == (address, "article")
    assert properties["og:image"] == "http://127.0.0.1:8000/images/a.webp"
    assert 'href="/feeds/categories/2/news.atom"' in page
    assert 'href="/feeds/authors/7/news.atom"' in page


@pytest.mark.parametrize(("path", "canonical"), [("/", "/"), ("/?category=3", "/?category=3"), ("/?utm=1", "/")])
def test_a_list_has_one_address(
    client: FlaskClient, add_article: Callable[..., int], path: str, canonical: str
) -> None:
    add_article(category_id=3)
    page = client.get(path).text
    assert f'<link rel="canonical" href="http://127.0.0.1:8000{canonical}">' in page
    assert 'href="/feeds/news.atom"' in page


def test_a_later_page_of_a_list_is_no_page_of_its_own_for_search_engines(
    client: FlaskClient, add_article: Callable[..., int]
) -> None:
    for _ in range(PAGE_SIZE + 1):
        add_article()
    following = re.search(r'rel="next" href="([^"]+)"', client.get("/").text)
    assert following
    assert "canonical" not in client.get(following[1].replace("&amp;", "&")).text
