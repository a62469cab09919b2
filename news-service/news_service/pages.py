"""The web pages: home with its list, one article, the icon and the static files. They read without JavaScript."""

from typing import Any

import svcs
from flask import Response, render_template, request
from flask_openapi3 import OpenAPI
from pydantic import BaseModel

from chassis.errors import NotFound
from chassis.identity import current_caller
from chassis.web import Access, endpoint
from news_service.articles import Article, Articles
from news_service.assets import Assets
from news_service.covers import draw_cover
from news_service.page_answers import install_page_answers, page_response
from news_service.presentation import beijing_day, beijing_time, own_picture, query_text, short_count
from news_service.tables import NEWEST_CATEGORY_ID
from news_service.users import Users

PAGE_SIZE = 13
RANKING_SIZE = 6
THEMES = ("light", "dark")
_ICON_SECONDS = 86400


class ArticlePath(BaseModel):
    """Which article."""

    article_id: int


class AssetPath(BaseModel):
    """Which static file, by its hashed name."""

    name: str


def install_pages(app: OpenAPI) -> None:
    """Add the pages to the app, with their templates' names and their headers."""
    assets = Assets()
    app.jinja_env.filters |= {
        "beijing_time": beijing_time,
        "own_picture": own_picture,
        "query_text": query_text,
        "short_count": short_count,
    }
    app.jinja_env.globals |= {"asset": assets.url, "draw_cover": draw_cover, "theme": _theme, "today": beijing_day}
    install_page_answers(app)
    _install_reading(app)
    _install_files(app, assets)


def _install_reading(app: OpenAPI) -> None:
    @endpoint(app, "GET", "/", access=Access.OPTIONAL, documented=False)
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
                ranking=articles.ranking(RANKING_SIZE),
                **_people(),
            )
        )

    @endpoint(app, "GET", "/news/<int:article_id>", access=Access.OPTIONAL, documented=False)
    def article_page(path: ArticlePath) -> Response:
        """Show one article."""
        articles = svcs.flask.get(Articles)
        article = articles.get(path.article_id)
        return page_response(
            render_template(
                "article.html",
                categories={category.id: category.name for category in articles.categories()},
                category_id=article.category_id,
                article=article,
                ranking=articles.ranking(RANKING_SIZE),
                **_people(article),
            )
        )


def _install_files(app: OpenAPI, assets: Assets) -> None:
    @endpoint(app, "GET", "/favicon.ico", access=Access.PUBLIC, documented=False)
    def favicon() -> Response:
        """Answer the icon at the address that every browser asks for."""
        return assets.answer_unhashed("favicon.ico", max_age_seconds=_ICON_SECONDS)

    @endpoint(app, "GET", "/static/<name>", access=Access.PUBLIC, documented=False)
    def static_file(path: AssetPath) -> Response:
        """Answer a static file under its hashed name."""
        return assets.answer(path.name)


def _theme() -> str | None:
    """Return the reader's choice of light or dark; None follows the device."""
    chosen = request.cookies.get("theme")
    return chosen if chosen in THEMES else None


def _people(article: Article | None = None) -> dict[str, Any]:  # Any: the variables of a template.
    """Name the reader and the author in one call; a name that cannot be had is None."""
    reader_id = current_caller().user_id
    author_id = article.author_id if article else None
    wanted = {user_id for user_id in (reader_id, author_id) if user_id is not None}
    names = svcs.flask.get(Users).names(wanted) if wanted else {}
    return {
        "reader_known": True,
        "signed_in": reader_id is not None,
        "reader": names.get(reader_id) if reader_id is not None else None,
        "author": names.get(author_id) if author_id is not None else None,
    }
