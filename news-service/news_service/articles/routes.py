"""The public API of the news."""

from typing import Any  # JSON objects.

import svcs
from flask import Response, request
from flask_openapi3 import APIBlueprint

from chassis.errors import Forbidden, NotFound, SlugTaken, StateConflict
from chassis.identity import client_ip, current_caller
from chassis.web import Access, endpoint
from news_service.articles.articles import Articles
from news_service.articles.categories import Categories
from news_service.articles.contract import (
    ArticleDetail,
    ArticleList,
    ArticlePath,
    CategoryBody,
    CategoryChange,
    CategoryItem,
    CategoryList,
    CategoryPath,
    CategoryRemoval,
    ListQuery,
    RemovalQuery,
    article_detail,
    article_list,
    category_item,
    category_list,
    category_removal,
)
from news_service.articles.views import Views
from news_service.caching import kept_json
from news_service.clients.user_service import Users

api = APIBlueprint("news", __name__)


@endpoint(api, "GET", "/api/v1/categories", access=Access.PUBLIC, answers={200: CategoryList, 304: None})
def list_categories() -> Response:
    """List the categories; 1 (最新) stands for all articles."""
    return kept_json(category_list(svcs.flask.get(Articles).categories()))


@endpoint(
    api,
    "POST",
    "/api/v1/categories",
    access=Access.ADMIN,
    answers={201: CategoryItem},
    failures=[Forbidden, SlugTaken],
)
def add_category(body: CategoryBody) -> tuple[dict[str, Any], int]:
    """Add a category."""
    return category_item(svcs.flask.get(Categories).add(body.model_dump())), 201


@endpoint(
    api,
    "PATCH",
    "/api/v1/categories/<int:id>",
    access=Access.ADMIN,
    answers={200: CategoryItem},
    failures=[Forbidden, NotFound, SlugTaken, StateConflict],
)
def change_category(path: CategoryPath, body: CategoryChange) -> dict[str, Any]:
    """Change the name, the slug or the position of a category; 最新 keeps its name."""
    return category_item(svcs.flask.get(Categories).change(path.id, body.model_dump(exclude_unset=True)))


@endpoint(
    api,
    "DELETE",
    "/api/v1/categories/<int:id>",
    access=Access.ADMIN,
    answers={200: CategoryRemoval},
    failures=[Forbidden, NotFound, StateConflict],
)
def remove_category(path: CategoryPath, query: RemovalQuery) -> dict[str, Any]:
    """Remove a category that is empty, or whose articles move to another one."""
    return category_removal(svcs.flask.get(Categories).remove(path.id, move_to=query.move_to))


@endpoint(api, "GET", "/api/v1/news", access=Access.PUBLIC, answers={200: ArticleList, 304: None})
def list_news(query: ListQuery) -> Response:
    """List articles page by page, the newest or the hottest first."""
    articles = svcs.flask.get(Articles)
    list_articles = articles.list_hot if query.order == "hot" else articles.list_newest
    page = list_articles(category_id=query.category, author_id=query.author, cursor=query.cursor, limit=query.limit)
    names = svcs.flask.get(Users).names(article.author_id for article in page.items)
    return kept_json(article_list(page, names))


@endpoint(
    api,
    "GET",
    "/api/v1/news/<int:id>",
    access=Access.OPTIONAL,
    answers={200: ArticleDetail, 304: None},
    failures=[NotFound],
)
def read_news(path: ArticlePath) -> Response:
    """Read one article."""
    articles = svcs.flask.get(Articles)
    article = articles.article_by_id(path.id)
    reader = articles.load_reader_state(current_caller().user_id, article)
    names = svcs.flask.get(Users).names([article.author_id])
    return kept_json(article_detail(article, names, reader), by_reader=True)


@endpoint(api, "POST", "/api/v1/news/<int:id>/views", access=Access.PUBLIC, answers={204: None}, failures=[NotFound])
def count_view(path: ArticlePath) -> tuple[str, int]:
    """Count that a reader has opened an article; sent by the page's script, without a body."""
    article = svcs.flask.get(Articles).article_by_id(path.id)
    svcs.flask.get(Views).count_view(article.id, ip=client_ip(), user_agent=request.user_agent.string)
    return "", 204
