"""The API of favourites, follows, authors and notices."""

import svcs
from flask import Response
from flask_openapi3 import APIBlueprint

from chassis.errors import DependencyUnavailable, NotFound, TooManyRequests
from chassis.identity import current_caller, current_user_id
from chassis.web import Access, endpoint
from news_service.articles.articles import Article
from news_service.articles.contract import ArticleList, ArticlePath, PageQuery, article_list
from news_service.caching import kept_json
from news_service.clients.user_service import Users
from news_service.cursors import KeysetPage
from news_service.rate_limits import ReactionLimit
from news_service.readers.contract import (
    AuthorDetail,
    FollowingList,
    NoticeList,
    ReadBody,
    UnreadCount,
    UserPath,
    author_detail,
    following_list,
    notice_list,
)
from news_service.readers.favourites import Favourites
from news_service.readers.feed import Feed
from news_service.readers.follows import Follows
from news_service.readers.notices import Notices

api = APIBlueprint("readers", __name__)


@endpoint(
    api,
    "PUT",
    "/api/v1/news/<int:id>/favourite",
    access=Access.SIGNED_IN,
    answers={204: None},
    failures=[NotFound, TooManyRequests, DependencyUnavailable],
)
def add_favourite(path: ArticlePath) -> tuple[str, int]:
    """Put an article among one's favourites."""
    svcs.flask.get(ReactionLimit).charge(current_user_id())
    svcs.flask.get(Favourites).add(path.id, user_id=current_user_id())
    return "", 204


@endpoint(
    api,
    "DELETE",
    "/api/v1/news/<int:id>/favourite",
    access=Access.SIGNED_IN,
    answers={204: None},
    failures=[NotFound, TooManyRequests, DependencyUnavailable],
)
def remove_favourite(path: ArticlePath) -> tuple[str, int]:
    """Take an article out of one's favourites."""
    svcs.flask.get(ReactionLimit).charge(current_user_id())
    svcs.flask.get(Favourites).remove(path.id, user_id=current_user_id())
    return "", 204


@endpoint(api, "GET", "/api/v1/users/me/favourites", access=Access.SIGNED_IN, answers={200: ArticleList, 304: None})
def list_favourites(query: PageQuery) -> Response:
    """List one's favourites, the last chosen first."""
    return _articles(svcs.flask.get(Favourites).list_own(current_user_id(), cursor=query.cursor, limit=query.limit))


@endpoint(
    api,
    "PUT",
    "/api/v1/users/<int:id>/follow",
    access=Access.SIGNED_IN,
    answers={204: None},
    failures=[NotFound, TooManyRequests, DependencyUnavailable],
)
def follow_user(path: UserPath) -> tuple[str, int]:
    """Follow a user; up to 1000 others."""
    svcs.flask.get(ReactionLimit).charge(current_user_id())
    svcs.flask.get(Follows).add(path.id, user_id=current_user_id())
    return "", 204


@endpoint(
    api,
    "DELETE",
    "/api/v1/users/<int:id>/follow",
    access=Access.SIGNED_IN,
    answers={204: None},
    failures=[NotFound, TooManyRequests, DependencyUnavailable],
)
def unfollow_user(path: UserPath) -> tuple[str, int]:
    """Follow a user no more."""
    svcs.flask.get(ReactionLimit).charge(current_user_id())
    svcs.flask.get(Follows).remove(path.id, user_id=current_user_id())
    return "", 204


@endpoint(api, "GET", "/api/v1/users/me/following", access=Access.SIGNED_IN, answers={200: FollowingList, 304: None})
def list_following(query: PageQuery) -> Response:
    """List those whom one follows, the last chosen first."""
    page = svcs.flask.get(Follows).list_own(current_user_id(), cursor=query.cursor, limit=query.limit)
    names = svcs.flask.get(Users).names(followed.user_id for followed in page.items)
    return kept_json(following_list(page, names))


@endpoint(api, "GET", "/api/v1/users/me/feed", access=Access.SIGNED_IN, answers={200: ArticleList, 304: None})
def list_feed(query: PageQuery) -> Response:
    """List the articles of those whom one follows, the newest first."""
    return _articles(svcs.flask.get(Feed).list_newest(current_user_id(), cursor=query.cursor, limit=query.limit))


@endpoint(
    api,
    "GET",
    "/api/v1/authors/<int:id>",
    access=Access.OPTIONAL,
    answers={200: AuthorDetail, 304: None},
    failures=[NotFound, DependencyUnavailable],
)
def read_author(path: UserPath) -> Response:
    """Read who an author is, how many follow them, and whether the signed-in reader does."""
    user = svcs.flask.get(Users).user_by_id(path.id)
    figures = svcs.flask.get(Follows).figures(user.id, reader_id=current_caller().user_id)
    return kept_json(author_detail(user, figures), by_reader=True)


@endpoint(api, "GET", "/api/v1/users/me/notices", access=Access.SIGNED_IN, answers={200: NoticeList, 304: None})
def list_notices(query: PageQuery) -> Response:
    """List one's notices, the newest first."""
    page = svcs.flask.get(Notices).list_own(current_user_id(), cursor=query.cursor, limit=query.limit)
    names = svcs.flask.get(Users).names(notice.event.actor_id for notice in page.items)
    return kept_json(notice_list(page, names))


@endpoint(api, "GET", "/api/v1/users/me/notices/unread", access=Access.SIGNED_IN, answers={200: UnreadCount, 304: None})
def count_unread_notices() -> Response:
    """Count one's unread notices."""
    return kept_json({"unread": svcs.flask.get(Notices).count_unread(current_user_id())})


@endpoint(api, "POST", "/api/v1/users/me/notices/read", access=Access.SIGNED_IN, answers={204: None})
def read_notices(body: ReadBody) -> tuple[str, int]:
    """Mark one's notices as read, up to one of them."""
    svcs.flask.get(Notices).mark_read(current_user_id(), up_to_id=body.up_to_id)
    return "", 204


def _articles(page: KeysetPage[Article]) -> Response:
    names = svcs.flask.get(Users).names(article.author_id for article in page.items)
    return kept_json(article_list(page, names))
