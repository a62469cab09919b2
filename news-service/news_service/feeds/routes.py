"""Feeds, sitemap and robots.txt: for everybody, and revalidated by their content."""

from typing import Any  # OpenAPI.

import svcs
from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel

from chassis.errors import NotFound
from chassis.web import Access, endpoint, media_answer
from news_service.articles.articles import Articles
from news_service.articles.tables import NEWEST_CATEGORY_ID
from news_service.caching import let_caches_keep, revalidated
from news_service.clients.user_service import Users
from news_service.feeds import atom, sitemap
from news_service.feeds.atom import Feed
from news_service.feeds.sitemap import Sitemap
from news_service.site import Site
from news_service.tables import HIGHEST_ID

_FEED_ITEMS = 20
Answers = dict[int, type[BaseModel] | dict[str, Any] | None]  # As `endpoint` takes them.
_FEED: Answers = {200: media_answer("application/atom+xml"), 304: None}
_SITEMAP: Answers = {200: media_answer("application/xml"), 304: None}
api = APIBlueprint("feeds", __name__)


class IdPath(BaseModel):
    """Which category, author, or part of the sitemap."""

    id: int


@endpoint(api, "GET", "/feeds/news.atom", access=Access.PUBLIC, answers=_FEED)
def news_feed() -> Response:
    """Follow the newest articles as an Atom feed."""
    return _feed(svcs.flask.get(Site).name, "/feeds/news.atom", "/")


@endpoint(api, "GET", "/feeds/categories/<int:id>/news.atom", access=Access.PUBLIC, answers=_FEED, failures=[NotFound])
def category_feed(path: IdPath) -> Response:
    """Follow the newest articles of one category as an Atom feed."""
    names = {category.id: category.name for category in svcs.flask.get(Articles).categories()}
    if path.id not in names or path.id == NEWEST_CATEGORY_ID:
        raise NotFound
    title = f"{names[path.id]} · {svcs.flask.get(Site).name}"
    address = f"/feeds/categories/{path.id}/news.atom"
    return _feed(title, address, f"/?category={path.id}", category_id=path.id)


@endpoint(api, "GET", "/feeds/authors/<int:id>/news.atom", access=Access.PUBLIC, answers=_FEED, failures=[NotFound])
def author_feed(path: IdPath) -> Response:
    """Follow the newest articles of one author as an Atom feed; 404 for users without any."""
    if not 0 < path.id <= HIGHEST_ID:
        raise NotFound
    author = svcs.flask.get(Users).names([path.id]).get(path.id)
    site = svcs.flask.get(Site)
    title = f"{author.nick_name} · {site.name}" if author else site.name
    return _feed(title, f"/feeds/authors/{path.id}/news.atom", "/", author_id=path.id)


@endpoint(api, "GET", "/sitemap.xml", access=Access.PUBLIC, answers=_SITEMAP)
def sitemap_index() -> Response:
    """List the parts of the sitemap."""
    return _file(svcs.flask.get(Sitemap).write_index(), sitemap.MEDIA_TYPE)


@endpoint(api, "GET", "/sitemaps/lists.xml", access=Access.PUBLIC, answers=_SITEMAP)
def sitemap_lists() -> Response:
    """List the home page and the pages of categories for search engines."""
    ids = [category.id for category in svcs.flask.get(Articles).categories() if category.id != NEWEST_CATEGORY_ID]
    return _file(svcs.flask.get(Sitemap).write_lists(ids), sitemap.MEDIA_TYPE)


@endpoint(api, "GET", "/sitemaps/<int:id>/articles.xml", access=Access.PUBLIC, answers=_SITEMAP, failures=[NotFound])
def sitemap_part(path: IdPath) -> Response:
    """List the articles of one part of the sitemap."""
    part = svcs.flask.get(Sitemap).write_part(path.id)
    if part is None:
        raise NotFound
    return _file(part, sitemap.MEDIA_TYPE)


@endpoint(api, "GET", "/robots.txt", access=Access.PUBLIC, answers={200: media_answer("text/plain"), 304: None})
def robots() -> Response:
    """Tell robots what is not for them, and where the sitemap stands."""
    kept_out = "".join(f"Disallow: {path}\n" for path in ("/api/", "/account/", "/admin/", "/inbox"))
    text = f"User-agent: *\n{kept_out}\nSitemap: {svcs.flask.get(Site).url}/sitemap.xml\n"
    return _file(text.encode(), "text/plain; charset=utf-8")


def _feed(
    title: str, path: str, page_path: str, *, category_id: int | None = None, author_id: int | None = None
) -> Response:
    articles = svcs.flask.get(Articles)
    listed = articles.newest_with_content(category_id=category_id, author_id=author_id, limit=_FEED_ITEMS)
    if author_id is not None and not listed:
        raise NotFound
    authors = svcs.flask.get(Users).names(article.author_id for article in listed)
    names = {user_id: name.nick_name for user_id, name in authors.items()}
    feed = Feed(title=title, path=path, page_path=page_path, site=svcs.flask.get(Site))
    return _file(feed.write(listed, names), atom.MEDIA_TYPE)


def _file(content: bytes, media_type: str) -> Response:
    return revalidated(let_caches_keep(Response(content, content_type=media_type)))
