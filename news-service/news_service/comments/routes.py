"""The API of comments and their likes."""

import svcs
from flask import Response, jsonify
from flask_openapi3 import APIBlueprint

from chassis.errors import AccountTooNew, DependencyUnavailable, NotFound, TextRepeated, TooManyRequests
from chassis.identity import client_ip, current_caller, current_user_id
from chassis.web import Access, endpoint
from news_service.articles.contract import ArticlePath, PageQuery
from news_service.caching import kept_json
from news_service.clients.user_service import Users
from news_service.comments.comments import Comments, people_of
from news_service.comments.contract import (
    CommentBody,
    CommentPath,
    OwnComment,
    OwnList,
    ReplyList,
    RootList,
    RootsQuery,
    own_comment,
    own_list,
    reply_list,
    root_list,
)
from news_service.comments.likes import Likes
from news_service.comments.posting import Draft, Posting
from news_service.rate_limits import ReactionLimit

api = APIBlueprint("comments", __name__)


@endpoint(
    api,
    "GET",
    "/api/v1/news/<int:id>/comments",
    access=Access.OPTIONAL,
    answers={200: RootList, 304: None},
    failures=[NotFound],
)
def list_comments(path: ArticlePath, query: RootsQuery) -> Response:
    """List an article's comments, the newest or the most liked first, each with the first of its answers."""
    page = svcs.flask.get(Comments).list_roots(
        path.id, order=query.order, cursor=query.cursor, limit=query.limit, reader_id=current_caller().user_id
    )
    return kept_json(root_list(page, svcs.flask.get(Users).names(people_of(page.items))), by_reader=True)


@endpoint(
    api,
    "GET",
    "/api/v1/comments/<int:id>/replies",
    access=Access.OPTIONAL,
    answers={200: ReplyList, 304: None},
    failures=[NotFound],
)
def list_replies(path: CommentPath, query: PageQuery) -> Response:
    """List the answers below a comment, the oldest first; answers to answers are among them."""
    page = svcs.flask.get(Comments).list_replies(
        path.id, cursor=query.cursor, limit=query.limit, reader_id=current_caller().user_id
    )
    return kept_json(reply_list(page, svcs.flask.get(Users).names(people_of(page.items))), by_reader=True)


@endpoint(
    api,
    "POST",
    "/api/v1/news/<int:id>/comments",
    access=Access.SIGNED_IN,
    answers={201: OwnComment},
    failures=[NotFound, AccountTooNew, TextRepeated, TooManyRequests, DependencyUnavailable],
)
def post_comment(path: ArticlePath, body: CommentBody) -> tuple[Response, int]:
    """Comment on an article, or answer a comment; ``state`` says whether it waits for a review."""
    draft = Draft(user_id=current_user_id(), news_id=path.id, content=body.content, parent_id=body.parent_id)
    comment = svcs.flask.get(Comments).own_comment(svcs.flask.get(Posting).post(draft, ip=client_ip()))
    return jsonify(own_comment(comment, svcs.flask.get(Users).names(people_of([comment])))), 201


@endpoint(
    api,
    "DELETE",
    "/api/v1/comments/<int:id>",
    access=Access.SIGNED_IN,
    answers={204: None},
    failures=[NotFound],
)
def delete_comment(path: CommentPath) -> tuple[str, int]:
    """Delete a comment of one's own; a place without text stays while answers stand below it."""
    svcs.flask.get(Posting).delete(path.id, user_id=current_user_id())
    return "", 204


@endpoint(
    api,
    "PUT",
    "/api/v1/comments/<int:id>/like",
    access=Access.SIGNED_IN,
    answers={204: None},
    failures=[NotFound, TooManyRequests, DependencyUnavailable],
)
def like_comment(path: CommentPath) -> tuple[str, int]:
    """Like a comment."""
    svcs.flask.get(ReactionLimit).charge(current_user_id())
    svcs.flask.get(Likes).add(path.id, user_id=current_user_id())
    return "", 204


@endpoint(
    api,
    "DELETE",
    "/api/v1/comments/<int:id>/like",
    access=Access.SIGNED_IN,
    answers={204: None},
    failures=[NotFound, TooManyRequests, DependencyUnavailable],
)
def unlike_comment(path: CommentPath) -> tuple[str, int]:
    """Take the like of a comment back."""
    svcs.flask.get(ReactionLimit).charge(current_user_id())
    svcs.flask.get(Likes).remove(path.id, user_id=current_user_id())
    return "", 204


@endpoint(api, "GET", "/api/v1/users/me/comments", access=Access.SIGNED_IN, answers={200: OwnList, 304: None})
def list_own_comments(query: PageQuery) -> Response:
    """List one's own comments, the newest first, also those that wait for a review or were hidden."""
    page = svcs.flask.get(Comments).list_own(current_user_id(), cursor=query.cursor, limit=query.limit)
    return kept_json(own_list(page, svcs.flask.get(Users).names(people_of(page.items))), by_reader=True)
