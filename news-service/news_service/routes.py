"""The public API of the news."""

import svcs
from flask import Response, jsonify, request
from flask_openapi3 import OpenAPI

from chassis.errors import NotFound
from chassis.identity import client_ip, current_caller
from chassis.web import Access, endpoint
from news_service.answers import (
    ArticleDetail,
    ArticleList,
    ArticlePath,
    CategoryList,
    ListQuery,
    article_detail,
    article_list,
    category_list,
)
from news_service.articles import Articles
from news_service.reader_ties import ReadersTies
from news_service.users import Users
from news_service.views import Views


def install_routes(app: OpenAPI) -> None:
    """Add the API to the app."""
    _install_lists(app)
    _install_articles(app)
    _install_views(app)


def _install_lists(app: OpenAPI) -> None:
    @endpoint(app, "GET", "/api/v1/categories", access=Access.PUBLIC, answers={200: CategoryList})
    def list_categories() -> Response:
        """List the categories; 1 (最新) stands for all articles."""
        return _cached(jsonify(category_list(svcs.flask.get(Articles).categories())))

    @endpoint(app, "GET", "/api/v1/news", access=Access.PUBLIC, answers={200: ArticleList})
    def list_news(query: ListQuery) -> Response:
        """List articles page by page, the newest or the hottest first."""
        articles = svcs.flask.get(Articles)
        listed = articles.list_hot if query.order == "hot" else articles.list_newest
        page = listed(category_id=query.category, author_id=query.author, cursor=query.cursor, limit=query.limit)
        authors = {article.author_id for article in page.items if article.author_id is not None}
        return _cached(jsonify(article_list(page, svcs.flask.get(Users).names(authors))))


def _install_articles(app: OpenAPI) -> None:
    @endpoint(
        app,
        "GET",
        "/api/v1/news/<int:id>",
        access=Access.OPTIONAL,
        answers={200: ArticleDetail},
        failures=[NotFound],
    )
    def read_news(path: ArticlePath) -> Response:
        """Read one article."""
        article = svcs.flask.get(Articles).get(path.id)
        ties = svcs.flask.get(ReadersTies).of(current_caller().user_id, article)
        names = svcs.flask.get(Users).names({article.author_id} if article.author_id is not None else set())
        return _cached(jsonify(article_detail(article, names, ties)))


def _install_views(app: OpenAPI) -> None:
    @endpoint(
        app, "POST", "/api/v1/news/<int:id>/views", access=Access.PUBLIC, answers={204: None}, failures=[NotFound]
    )
    def count_view(path: ArticlePath) -> tuple[str, int]:
        """Count that a reader has opened an article; sent by the page's script, without a body."""
        article = svcs.flask.get(Articles).get(path.id)
        svcs.flask.get(Views).count(article.id, ip=client_ip(), user_agent=request.user_agent.string)
        return "", 204


def _cached(answer: Response) -> Response:
    anonymous = current_caller().user_id is None
    answer.headers["Cache-Control"] = (
        "public, max-age=30, stale-while-revalidate=300" if anonymous else "private, no-cache"
    )
    answer.vary.update(["Cookie", "Authorization"])
    answer.add_etag(weak=True)
    answer.make_conditional(request)
    return answer
