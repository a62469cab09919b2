"""The HTTP edge of reviewers: the queue, decisions, and what was decided."""

from typing import Any  # JSON objects.

import svcs
from flask import Response
from flask_openapi3 import APIBlueprint

from chassis import errors
from chassis.identity import current_caller, current_user_id, has_role
from chassis.web import Access, endpoint
from news_service.caching import kept_json
from news_service.clients.user_service import Users
from news_service.review.articles import ArticleReview
from news_service.review.authors import AuthorReview
from news_service.review.comments import CommentReview
from news_service.review.contract import (
    ArticleDecision,
    ArticleOutcome,
    CommentDecision,
    CommentOutcome,
    DecisionPage,
    DecisionsQuery,
    QueuePage,
    QueueQuery,
    ReviewedArticleDetail,
    SubjectPath,
    UserDecision,
    UserOutcome,
    article_outcome,
    comment_outcome,
    decision_page,
    queue_page,
    reviewed_article,
    user_outcome,
)
from news_service.review.decisions import Action, Decisions, Ruling
from news_service.review.queue import ReviewQueue

api = APIBlueprint("review", __name__)
_REVIEW = "/api/v1/review"
_REFUSED = [errors.Forbidden, errors.NotFound]
_USER_ACTIONS = {"hide": Action.HIDE_AUTHOR, "restore": Action.RESTORE_AUTHOR, "ask_ban": Action.ASK_BAN}


@endpoint(
    api,
    "GET",
    f"{_REVIEW}/queue",
    access=Access.EDITOR,
    answers={200: QueuePage, 304: None},
    failures=[errors.Forbidden],
)
def list_review_queue(query: QueueQuery) -> Response:
    """List what waits for a review, the oldest first."""
    page = svcs.flask.get(ReviewQueue).list_page(query.kind, cursor=query.cursor, limit=query.limit)
    return kept_json(queue_page(page, svcs.flask.get(Users).names(each.author_id for each in page.items)))


@endpoint(
    api,
    "GET",
    f"{_REVIEW}/articles/<int:id>",
    access=Access.EDITOR,
    answers={200: ReviewedArticleDetail, 304: None},
    failures=_REFUSED,
)
def read_reviewed_article(path: SubjectPath) -> Response:
    """Read an article in any state but that of a draft, with what was decided on it."""
    article = svcs.flask.get(ArticleReview).article_by_id(path.id)
    people = [article.row.user_id, *(decision.actor_id for decision in article.decisions)]
    return kept_json(reviewed_article(article, svcs.flask.get(Users).names(people)))


@endpoint(
    api,
    "POST",
    f"{_REVIEW}/articles/<int:id>/decision",
    access=Access.EDITOR,
    answers={200: ArticleOutcome},
    failures=[*_REFUSED, errors.EditConflict, errors.StateConflict],
)
def decide_on_article(path: SubjectPath, body: ArticleDecision) -> dict[str, Any]:
    """Approve, reject, withdraw or restore an article."""
    ruling = _ruling(Action(body.action), body.reason)
    outcome = svcs.flask.get(ArticleReview).decide(path.id, ruling, version=body.version)
    return article_outcome(path.id, outcome)


@endpoint(
    api,
    "POST",
    f"{_REVIEW}/comments/<int:id>/decision",
    access=Access.EDITOR,
    answers={200: CommentOutcome},
    failures=[*_REFUSED, errors.StateConflict],
)
def decide_on_comment(path: SubjectPath, body: CommentDecision) -> dict[str, Any]:
    """Approve, hide or restore a comment."""
    status = svcs.flask.get(CommentReview).decide(path.id, _ruling(Action(body.action), body.reason))
    return comment_outcome(path.id, status)


@endpoint(
    api,
    "POST",
    f"{_REVIEW}/users/<int:id>/decision",
    access=Access.EDITOR,
    answers={200: UserOutcome},
    failures=_REFUSED,
)
def decide_on_user(path: SubjectPath, body: UserDecision) -> dict[str, Any]:
    """Hide or restore everything that a user wrote, or ask the administrators to ban the account."""
    progress = svcs.flask.get(AuthorReview).decide(path.id, _ruling(_USER_ACTIONS[body.action], body.reason))
    return user_outcome(progress)


@endpoint(
    api,
    "GET",
    f"{_REVIEW}/decisions",
    access=Access.EDITOR,
    answers={200: DecisionPage, 304: None},
    failures=[errors.Forbidden],
)
def list_decisions(query: DecisionsQuery) -> Response:
    """List what was decided, the newest first."""
    page = svcs.flask.get(Decisions).list_page(query.wanted(), cursor=query.cursor, limit=query.limit)
    return kept_json(decision_page(page, svcs.flask.get(Users).names(row.actor_id for row in page.items)))


def _ruling(action: Action, reason: str | None) -> Ruling:
    is_admin = has_role(current_caller().roles, "admin")
    return Ruling(action=action, actor_id=current_user_id(), is_admin=is_admin, reason=reason)
