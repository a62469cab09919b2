"""The public API of the news."""

import svcs
from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint

from chassis.errors import NotFound
from chassis.identity import client_ip, current_caller
from chassis.web import Access, endpoint
from news_service.articles.articles import Articles
from news_service.articles.contract import (
    ArticleDetail,
    ArticleList,
    ArticlePath,
    CategoryList,
    ListQuery,
    article_detail,
    article_list,
    category_list,
)
from news_service.articles.views import Views
from news_service.caching import let_caches_keep, revalidated
from news_service.clients.user_service import Users

api = APIBlueprint("news", __name__)


@endpoint(api, "GET", "/api/v1/categories", access=Access.PUBLIC, answers={200: CategoryList, 304: None})
def list_categories() -> Response:
    """List the categories; 1 (最新) stands for all articles."""
    return revalidated(let_caches_keep(jsonify(category_list(svcs.flask.get(Articles).categories()))))


@endpoint(api, "GET", "/api/v1/news", access=Access.PUBLIC, answers={200: ArticleList, 304: None})
def list_news(query: ListQuery) -> Response:
    """List articles page by page, the newest or the hottest first."""
    articles = svcs.flask.get(Articles)
    list_articles = articles.list_hot if query.order == "hot" else articles.list_newest
    page = list_articles(category_id=query.category, author_id=query.author, cursor=query.cursor, limit=query.limit)
    authors = {article.author_id for article in page.items if article.author_id is not None}
    return revalidated(let_caches_keep(jsonify(article_list(page, svcs.flask.get(Users).names(authors)))))


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
    names = svcs.flask.get(Users).names({article.author_id} if article.author_id is not None else set())
    answer = jsonify(article_detail(article, names, reader))
    return revalidated(let_caches_keep(answer, varies_by=["Cookie", "Authorization"]))


@endpoint(api, "POST", "/api/v1/news/<int:id>/views", access=Access.PUBLIC, answers={204: None}, failures=[NotFound])
def count_view(path: ArticlePath) -> tuple[str, int]:
    """Count that a reader has opened an article; sent by the page's script, without a body."""
    article = svcs.flask.get(Articles).article_by_id(path.id)
    svcs.flask.get(Views).count_view(article.id, ip=client_ip(), user_agent=request.user_agent.string)
    return "", 204
