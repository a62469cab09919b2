"""Imported answers below their roots."""

from collections.abc import Callable

from flask.testing import FlaskClient
from sqlalchemy import select

from chassis.database import Database
from news_service.comments.tables import HIDDEN, InfoComment
from news_service.comments.threads import thread_answers


def test_answers_of_any_depth_stand_below_their_root_and_visible_ones_count(
    add_article: Callable[..., int], add_comment: Callable[..., int], database: Database
) -> None:
    add_article()
    add_comment()
    add_comment(parent_id=1)
    add_comment(parent_id=2)
    add_comment(parent_id=3, status=HIDDEN, is_listed=True)
    add_comment(reply_count=5)
    with database.write() as session:
        thread_answers(session, {1})
    with database.read() as session:
        rows = session.execute(select(InfoComment.root_id, InfoComment.reply_count, InfoComment.is_listed)).all()
    assert [tuple(row) for row in rows] == [(0, 2, True), (1, 0, True), (1, 0, True), (1, 0, False), (0, 0, True)]


def test_an_answer_to_another_articles_comment_is_a_root_and_does_not_show_it(
    client: FlaskClient, add_article: Callable[..., int], add_comment: Callable[..., int], database: Database
) -> None:
    add_article(status=3)
    add_article()
    add_comment(content="秘密")
    add_comment(parent_id=1, news_id=2)
    with database.write() as session:
        thread_answers(session, {1, 2})
    (root,) = client.get("/api/v1/news/2/comments").json["items"]
    assert (root["id"], root["parent"]) == (2, {"id": 1, "author": None, "content": None})
