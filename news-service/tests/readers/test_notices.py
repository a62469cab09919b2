"""Notices of readers."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from chassis.database import Database
from news_service.comments.tables import HELD, HIDDEN, VISIBLE, InfoComment
from news_service.readers.notices import MOST_COUNTED, Event, NoticeKind, add_notice
from news_service.readers.tables import NewsNotice

ADDRESS = "/api/v1/users/me/notices"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _tell(database: Database, user_id: int, **event: object) -> None:
    values = {"kind": NoticeKind.REPLY, "at": MOMENT, **event}
    with database.write() as session:
        add_notice(session, user_id, Event(**values))


@pytest.fixture
def comment(add_article, database: Database) -> int:
    """A comment of user 7 on the first article, whose author is 5."""
    add_article(user_id=5)
    with database.write() as session:
        session.add(InfoComment(id=1, user_id=7, news_id=1, content="好", create_time=MOMENT))
    return 1


def test_a_notice_tells_what_happened_where_and_by_whom(
    sign_in, database: Database, comment: int, user_service
) -> None:
    user_service.known[7] = "小满"
    _tell(database, 5, kind=NoticeKind.COMMENT, news_id=1, comment_id=comment, actor_id=7)
    _tell(database, 5, kind=NoticeKind.ARTICLE_REJECTED, news_id=1, reason="缺来源")
    _tell(database, 6)
    rejected, commented = sign_in(5).get(ADDRESS).json["items"]
    assert commented == {
        "id": 1,
        "kind": "comment",
        "news": {"id": 1, "title": "第1篇"},
        "comment": {"id": 1, "content": "好"},
        "actor": {"id": 7, "nick_name": "小满", "avatar_url": None},
        "reason": None,
        "created_at": "2026-01-02T03:04:05Z",
        "is_read": False,
    }
    assert (rejected["kind"], rejected["actor"], rejected["comment"], rejected["reason"]) == (
        "article_rejected",
        None,
        None,
        "缺来源",
    )


@pytest.mark.parametrize(
    ("reader", "article_status", "comment_status", "title", "content"),
    [
        (6, 0, VISIBLE, "第1篇", "好"),
        (6, 0, HELD, "第1篇", None),
        (6, 0, HIDDEN, "第1篇", None),
        (6, 3, VISIBLE, None, None),
        (5, 3, VISIBLE, "第1篇", None),
        (7, 0, HIDDEN, "第1篇", "好"),
    ],
)
def test_a_notice_shows_what_its_reader_may_read_now(
    sign_in, add_article, database: Database, reader, article_status, comment_status, title, content
) -> None:
    add_article(user_id=5, status=article_status)
    with database.write() as session:
        session.add(InfoComment(id=1, user_id=7, news_id=1, content="好", status=comment_status))
    _tell(database, reader, news_id=1, comment_id=1)
    (notice,) = sign_in(reader).get(ADDRESS).json["items"]
    assert (notice["news"]["title"], notice["comment"]["content"]) == (title, content)


def test_notices_are_pages_counted_and_read(sign_in, database: Database) -> None:
    for user_id in (5, 5, 6, 5):
        _tell(database, user_id)
    reader = sign_in(5)
    first = reader.get(f"{ADDRESS}?limit=2").json
    second = reader.get(ADDRESS, query_string={"cursor": first["next_cursor"]}).json
    assert [item["id"] for item in first["items"] + second["items"]] == [4, 2, 1]
    assert reader.get(f"{ADDRESS}/unread").json == {"unread": 3}
    assert reader.post(f"{ADDRESS}/read", json={"up_to_id": 3}).status_code == 204
    assert reader.get(f"{ADDRESS}/unread").json == {"unread": 1}
    assert [item["is_read"] for item in reader.get(ADDRESS).json["items"]] == [False, True, True]
    assert sign_in(6).get(f"{ADDRESS}/unread").json == {"unread": 1}


def test_reading_again_keeps_the_first_moment(sign_in, database: Database) -> None:
    _tell(database, 5)
    moments = []
    for _ in range(2):
        sign_in(5).post(f"{ADDRESS}/read", json={"up_to_id": 1})
        with database.read() as session:
            moments.append(session.scalar(select(NewsNotice.read_at)))
    assert moments[0] == moments[1] is not None


@pytest.mark.any_database
def test_the_count_of_unread_notices_ends(sign_in, database: Database) -> None:
    with database.write() as session:
        for _ in range(MOST_COUNTED + 5):
            add_notice(session, 5, Event(kind=NoticeKind.REPLY, at=MOMENT))
    assert sign_in(5).get(f"{ADDRESS}/unread").json == {"unread": MOST_COUNTED}


@pytest.mark.any_database
@pytest.mark.parametrize("body", [{}, {"up_to_id": 0}, {"up_to_id": "1"}, {"up_to_id": 2**31}, {"up_to_id": None}])
def test_a_wrong_end_is_refused(sign_in, body) -> None:
    assert sign_in(5).post(f"{ADDRESS}/read", json=body).status_code == 422


@pytest.mark.any_database
def test_what_people_own_is_nobodys_to_keep(sign_in) -> None:
    for name in ("notices", "notices/unread", "favourites", "following", "feed", "comments"):
        answer = sign_in(5).get(f"/api/v1/users/me/{name}")
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "private, no-cache")
        again = sign_in(5).get(f"/api/v1/users/me/{name}", headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("method", "address"),
    [
        *(("GET", f"/api/v1/users/me/{name}") for name in ("notices", "notices/unread", "favourites", "following")),
        *(("GET", f"/api/v1/users/me/{name}") for name in ("feed", "comments")),
        ("POST", "/api/v1/users/me/notices/read"),
        ("POST", "/api/v1/news/1/comments"),
        ("DELETE", "/api/v1/comments/1"),
        *((method, "/api/v1/comments/1/like") for method in ("PUT", "DELETE")),
        *((method, "/api/v1/news/1/favourite") for method in ("PUT", "DELETE")),
        *((method, "/api/v1/users/5/follow") for method in ("PUT", "DELETE")),
    ],
)
def test_nobody_takes_part_without_signing_in(client, method: str, address: str) -> None:
    answer = client.open(address, method=method)
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
