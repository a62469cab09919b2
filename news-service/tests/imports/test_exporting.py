"""The tables that leave as SQL come back as they were, and nothing becomes public on the way."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, select, update

from chassis.database import Database
from chassis.dumps.report import ImportReport
from chassis.dumps.writing import write_tables
from news_service.articles.tables import APPROVED, DRAFT, IN_REVIEW, REJECTED, WITHDRAWN, InfoCategory, InfoNews
from news_service.comments.tables import DELETED, HELD, HIDDEN, VISIBLE, InfoComment, InfoCommentLike
from news_service.imports.exporting import classic_tables
from news_service.readers.tables import InfoUserCollection, InfoUserFans
from news_service.tables import Base

TABLES: tuple[type[Base], ...] = (
    *(InfoUserFans, InfoUserCollection, InfoCommentLike, InfoComment, InfoNews, InfoCategory),
)
PEOPLE = "INSERT INTO info_user (id, mobile) VALUES (1,'13800138001'),(5,'13800138005'),(6,'13800138006');"
DAY = datetime(2019, 1, 1, tzinfo=UTC)
OWN = {"hot_score", "comment_count", "version", "root_id", "reply_count", "is_listed"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def export(database: Database, now: datetime) -> Callable[[], tuple[str, Counter[str]]]:
    """Export all tables; return the SQL and the notes."""

    def export() -> tuple[str, Counter[str]]:
        notes = Counter[str]()
        sql = "".join(write_tables(classic_tables(database, now, notes), ZoneInfo("Asia/Shanghai")))
        return sql, notes

    return export


def stored(database: Database) -> dict[str, list[dict[str, Any]]]:
    """The classic columns of all rows."""
    with database.read() as session:
        return {
            model.__tablename__: [
                {name: value for name, value in row._mapping.items() if name not in OWN}
                for row in session.execute(select(model.__table__).order_by(*model.__table__.primary_key))
            ]
            for model in TABLES
        }


@pytest.fixture
def empty(database: Database) -> Callable[[], None]:
    """Remove every row."""

    def empty() -> None:
        with database.write() as session:
            session.execute(update(InfoComment).values(parent_id=None))
            for model in TABLES:
                session.execute(delete(model))

    return empty


def add_everything(session: Any) -> None:
    session.add_all([InfoCategory(id=1, name="最新", create_time=DAY), InfoCategory(id=2, name="it's \\ 🚀")])
    session.flush()
    texts = {"title": '他说"好"\\', "source": "s'", "digest": "a\nb\tc", "content": "<p>x; -- y /* z */ 🚀\\'</p>"}
    for number in range(1, 4):
        session.add(
            InfoNews(
                **texts,
                id=number,
                status=APPROVED,
                category_id=2,
                user_id=5,
                clicks=number,
                create_time=DAY + timedelta(microseconds=number),
                update_time=None,
                published_at=DAY + timedelta(microseconds=number),
            )
        )
    session.flush()
    for number, parent in ((1, None), (2, 1), (3, 2)):
        session.add(
            InfoComment(id=number, user_id=6, news_id=1, content=f"c{number}", parent_id=parent, create_time=DAY)
        )
        session.flush()
    session.add(InfoCommentLike(comment_id=1, user_id=5, create_time=DAY))
    session.add_all([InfoUserCollection(user_id=user, news_id=1, create_time=DAY) for user in (1, 5)])
    # The classic has no time of a follow.
    session.add_all([InfoUserFans(follower_id=user, followed_id=5, create_time=EPOCH) for user in (1, 6)])


def test_what_leaves_comes_back_as_it_was(
    database: Database,
    export: Callable[[], tuple[str, Counter[str]]],
    empty: Callable[[], None],
    run: Callable[..., list[ImportReport]],
) -> None:
    with database.write() as session:
        add_everything(session)
    before, (sql, notes) = stored(database), export()
    empty()
    run(sql, PEOPLE)
    assert stored(database) == before
    assert notes == {}
    reports = run(sql, PEOPLE)
    assert [table.written + table.changed for report in reports for table in report.tables.values()] == [0] * 6


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("status", "ahead", "written"),
    [
        (APPROVED, False, (APPROVED, "r")),
        (APPROVED, True, (IN_REVIEW, "r")),
        (IN_REVIEW, False, (IN_REVIEW, "r")),
        (REJECTED, False, (REJECTED, "r")),
        (WITHDRAWN, False, (REJECTED, "r")),
        (DRAFT, False, None),
    ],
)
def test_no_state_becomes_public_on_the_way(
    database: Database,
    now: datetime,
    add_article: Callable[..., int],
    export: Callable[[], tuple[str, Counter[str]]],
    empty: Callable[[], None],
    run: Callable[..., list[ImportReport]],
    status: int,
    ahead: bool,
    written: tuple[int, str] | None,
) -> None:
    published_at = now + timedelta(days=1) if ahead else DAY
    add_article(status=status, published_at=published_at, reason="r", category_id=None)
    sql, notes = export()
    assert bool(notes) == (written != (status, "r"))
    empty()
    if written is None:
        assert "INSERT INTO `info_news`" not in sql
        return
    run(sql)
    with database.read() as session:
        assert session.execute(select(InfoNews.status, InfoNews.reason)).one() == written


@pytest.mark.any_database
def test_a_withdrawn_article_without_a_reason_gets_one(
    add_article: Callable[..., int], export: Callable[[], tuple[str, Counter[str]]]
) -> None:
    add_article(status=WITHDRAWN, category_id=None)
    assert "-1,'已撤下')" in export()[0]


@pytest.mark.any_database
def test_comments_that_nobody_may_read_stay_here(
    database: Database,
    add_article: Callable[..., int],
    export: Callable[[], tuple[str, Counter[str]]],
    empty: Callable[[], None],
    run: Callable[..., list[ImportReport]],
) -> None:
    article, draft = add_article(category_id=None), add_article(status=DRAFT, category_id=None)
    rows = [(1, article, VISIBLE), (2, article, HELD), (3, article, HIDDEN), (4, article, DELETED), (5, draft, VISIBLE)]
    with database.write() as session:
        for number, news_id, status in rows:
            session.add(InfoComment(id=number, user_id=6, news_id=news_id, content="c", status=status, create_time=DAY))
            session.flush()
            session.add(InfoCommentLike(comment_id=number, user_id=5))
        session.add(InfoComment(id=6, user_id=6, news_id=article, content="answer", parent_id=4, create_time=DAY))
        session.add_all([InfoUserCollection(user_id=5, news_id=article), InfoUserCollection(user_id=5, news_id=draft)])
    sql, notes = export()
    assert notes == {
        "comments that nobody may read are left out": 4,
        "answers to such comments answer nothing": 1,
        "drafts are left out": 1,
    }
    empty()
    run(sql, PEOPLE)
    after = stored(database)
    assert [(row["id"], row["parent_id"]) for row in after["info_comment"]] == [(1, None), (6, None)]
    assert [row["comment_id"] for row in after["info_comment_like"]] == [1]
    assert [row["news_id"] for row in after["info_user_collection"]] == [article]
