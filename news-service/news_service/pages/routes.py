"""The web pages: home with its list, one article, the icon and the static files. They read without JavaScript."""

from collections.abc import Collection
from functools import partial
from typing import Any

import svcs
from flask import Response, render_template, request
from flask_openapi3 import APIBlueprint, OpenAPI
from pydantic import BaseModel

from chassis.errors import NotFound
from chassis.identity import current_caller
from chassis.web import Access, endpoint
from news_service.articles.articles import Article, Articles
from news_service.articles.tables import NEWEST_CATEGORY_ID
from news_service.clients.user_service import Users
from news_service.pages.assets import Assets
from news_service.pages.covers import cover_shapes
from news_service.pages.metadata import news_article
from news_service.pages.responses import install_page_responses, page_response
from news_service.pages.template_filters import beijing_day, beijing_time, own_picture, query_text, short_count
from news_service.site import Site

PAGE_SIZE = 13
RANKING_SIZE = 6
THEMES = ("light", "dark")
_ICON_SECONDS = 86400
api = APIBlueprint("pages", __name__)


class ArticlePath(BaseModel):
    """Which article."""

    article_id: int


class AssetPath(BaseModel):
    """Which static file, by its hashed name."""

    name: str


def install_pages(app: OpenAPI, image_hosts: Collection[str]) -> None:
    """Add the pages to the app, with the names that templates use and the pages' headers.

    Pictures may come from ``image_hosts``, too.
    """
    assets = Assets()
    svcs.flask.register_value(app, Assets, assets)
    app.jinja_env.filters |= {
        "beijing_time": beijing_time,
        "own_picture": partial(own_picture, image_hosts=image_hosts),
        "query_text": query_text,
        "short_count": short_count,
    }
    app.jinja_env.globals |= {"asset": assets.url, "cover_shapes": cover_shapes, "theme": _theme, "today": beijing_day}
    app.jinja_env.globals |= {"news_article": news_article, "site": _site}
    install_page_responses(app, image_hosts)
    app.register_api(api)


@endpoint(api, "GET", "/", access=Access.OPTIONAL, documented=False)
def home() -> Response:
    """Show the newest articles, of one category or of all."""
    articles = svcs.flask.get(Articles)
    categories = {category.id: category.name for category in articles.categories()}
    category_id = request.args.get("category", type=int)
    if category_id == NEWEST_CATEGORY_ID:
        category_id = None
    if category_id is not None and category_id not in categories:
        raise NotFound
    cursor = request.args.get("cursor")
    page = articles.list_newest(category_id=category_id, cursor=cursor, limit=PAGE_SIZE)
    return page_response(
        render_template(
            "home.html",
            categories=categories,
            category_id=category_id,
            cursor=cursor,
            page=page,
            ranking=articles.hottest(RANKING_SIZE),
            canonical=None if cursor else (f"/?category={category_id}" if category_id else "/"),
            **_people(),
        )
    )


@endpoint(api, "GET", "/news/<int:article_id>", access=Access.OPTIONAL, documented=False)
def article_page(path: ArticlePath) -> Response:
    """Show one article."""
    articles = svcs.flask.get(Articles)
    article = articles.article_by_id(path.article_id)
    if request.path != (address := f"/news/{article.id}"):  # With zeros in front.
        query = request.query_string.decode("ascii", "replace")
        return Response(status=308, headers={"Location": f"{address}?{query}" if query else address})
    return page_response(
        render_template(
            "article.html",
            categories={category.id: category.name for category in articles.categories()},
            category_id=article.category_id,
            article=article,
            canonical=address,
            ranking=articles.hottest(RANKING_SIZE),
            **_people(article),
        )
    )


@endpoint(api, "GET", "/favicon.ico", access=Access.PUBLIC, documented=False)
def favicon() -> Response:
    """Answer the icon at the address that every browser asks for."""
    return svcs.flask.get(Assets).respond_unhashed("favicon.ico", max_age_seconds=_ICON_SECONDS)


@endpoint(api, "GET", "/static/<name>", access=Access.PUBLIC, documented=False)
def static_file(path: AssetPath) -> Response:
    """Answer a static file under its hashed name."""
    return svcs.flask.get(Assets).respond(path.name)


def _site() -> Site:
    return svcs.flask.get(Site)


def _theme() -> str | None:
    """Return the reader's choice of light or dark; None follows the device."""
    chosen = request.cookies.get("theme")
    return chosen if chosen in THEMES else None


def _people(article: Article | None = None) -> dict[str, Any]:  # Any: the variables of a template.
    """Return the names of the reader and the author, fetched in one call; None for a name that is not known."""
    reader_id = current_caller().user_id
    author_id = article.author_id if article else None
    names = svcs.flask.get(Users).names([reader_id, author_id])
    return {
        "reader_known": True,
        "signed_in": reader_id is not None,
        "reader": names.get(reader_id) if reader_id is not None else None,
        "author": names.get(author_id) if author_id is not None else None,
    }
