"""The HTTP edge of writing: own articles, their states and their versions."""

from typing import Any  # Answers are JSON objects.

import svcs
from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel

from chassis import errors
from chassis.identity import current_caller, current_user_id
from chassis.web import Access, endpoint
from news_service.articles.contract import ArticlePath
from news_service.articles.routes import api as articles_api
from news_service.caching import kept_json
from news_service.writing.contract import (
    ArticleChange,
    NewArticle,
    OwnArticle,
    OwnList,
    OwnQuery,
    Revision,
    RevisionList,
    RevisionPath,
    RevisionsQuery,
    VersionBody,
    own_article,
    own_list,
    revision,
    revision_list,
)
from news_service.writing.own_articles import OwnArticles
from news_service.writing.revisions import TEXT_COLUMNS, Revisions
from news_service.writing.states import Move

# Of two blueprints with one path flask-openapi3 (4.3) documents one: what shares a path with a read stands there.
api = APIBlueprint("writing", __name__)
_OWN = "/api/v1/users/me/news"
_ARTICLE = "/api/v1/news/<int:id>"
_MOVES = [errors.NotFound, errors.StateConflict]
_CHANGES = [errors.NotFound, errors.EditConflict]


@endpoint(
    articles_api,
    "POST",
    "/api/v1/news",
    access=Access.SIGNED_IN,
    answers={201: OwnArticle},
    failures=[errors.TooManyRequests],
)
def create_news(body: NewArticle) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Begin an article; it is a draft that only its author sees."""
    article = svcs.flask.get(OwnArticles).create(current_user_id(), _sent(body))
    return own_article(article), 201, {"Location": f"{_OWN}/{article.id}"}


@endpoint(api, "GET", _OWN, access=Access.SIGNED_IN, answers={200: OwnList, 304: None})
def list_own_news(query: OwnQuery) -> Response:
    """List the own articles in all states, the newest first."""
    page = svcs.flask.get(OwnArticles).list_own(
        current_user_id(), status=query.status, cursor=query.cursor, limit=query.limit
    )
    return kept_json(own_list(page))


@endpoint(
    api,
    "GET",
    f"{_OWN}/<int:id>",
    access=Access.SIGNED_IN,
    answers={200: OwnArticle, 304: None},
    failures=[errors.NotFound],
)
def read_own_news(path: ArticlePath) -> Response:
    """Read an own article as it is edited."""
    return kept_json(own_article(svcs.flask.get(OwnArticles).read_own(current_user_id(), path.id)))


@endpoint(articles_api, "PATCH", _ARTICLE, access=Access.SIGNED_IN, answers={200: OwnArticle}, failures=_CHANGES)
def change_news(path: ArticlePath, body: ArticleChange) -> dict[str, Any]:
    """Change the fields that are sent; an approved article goes back to the review, unless an editor changes it."""
    articles = svcs.flask.get(OwnArticles)
    return own_article(articles.change(current_caller(), path.id, _sent(body), version=body.version))


@endpoint(api, "POST", f"{_ARTICLE}/submission", access=Access.SIGNED_IN, answers={200: OwnArticle}, failures=_MOVES)
def submit_news(path: ArticlePath) -> dict[str, Any]:
    """Ask for the review of an own article."""
    return _move(path, Move.SUBMIT)


@endpoint(api, "DELETE", f"{_ARTICLE}/submission", access=Access.SIGNED_IN, answers={200: OwnArticle}, failures=_MOVES)
def take_back_news(path: ArticlePath) -> dict[str, Any]:
    """Take an own article back from the review; it is a draft again."""
    return _move(path, Move.TAKE_BACK)


@endpoint(api, "POST", f"{_ARTICLE}/withdrawal", access=Access.SIGNED_IN, answers={200: OwnArticle}, failures=_MOVES)
def withdraw_news(path: ArticlePath) -> dict[str, Any]:
    """Take an own article down; only a new review makes it public again."""
    return _move(path, Move.WITHDRAW)


@endpoint(
    api,
    "GET",
    f"{_ARTICLE}/revisions",
    access=Access.SIGNED_IN,
    answers={200: RevisionList, 304: None},
    failures=[errors.NotFound],
)
def list_revisions(path: ArticlePath, query: RevisionsQuery) -> Response:
    """List the versions of an article for its author and editors, the present one first."""
    revisions = svcs.flask.get(Revisions)
    page = revisions.list_revisions(current_caller(), path.id, cursor=query.cursor, limit=query.limit)
    return kept_json(revision_list(page))


@endpoint(
    api,
    "GET",
    f"{_ARTICLE}/revisions/<int:version>",
    access=Access.SIGNED_IN,
    answers={200: Revision, 304: None},
    failures=[errors.NotFound],
)
def read_revision(path: RevisionPath) -> Response:
    """Read what an article said in one version."""
    return kept_json(revision(svcs.flask.get(Revisions).read_revision(current_caller(), path.id, path.version)))


@endpoint(
    api,
    "POST",
    f"{_ARTICLE}/revisions/<int:version>/restoration",
    access=Access.SIGNED_IN,
    answers={200: OwnArticle},
    failures=_CHANGES,
)
def restore_revision(path: RevisionPath, body: VersionBody) -> dict[str, Any]:
    """Change an article to what it said in an earlier version; the body names the present one."""
    caller = current_caller()
    kept = svcs.flask.get(Revisions).read_revision(caller, path.id, path.version)
    fields = {name: getattr(kept, name) for name in TEXT_COLUMNS}
    return own_article(svcs.flask.get(OwnArticles).change(caller, path.id, fields, version=body.version))


def _move(path: ArticlePath, move: Move) -> dict[str, Any]:
    return own_article(svcs.flask.get(OwnArticles).move(current_user_id(), path.id, move))


def _sent(body: BaseModel) -> dict[str, Any]:
    return body.model_dump(exclude_unset=True)
