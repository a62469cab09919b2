"""The sample articles leave, and nothing of a reader with them unless it is asked for."""

from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import func, select, update

from chassis.database import Database
from chassis.dumps.report import ImportReport
from news_service.articles.tables import InfoNews, NewsRevision
from news_service.comments.tables import InfoComment, InfoCommentLike
from news_service.readers.tables import InfoUserCollection, NewsNotice
from news_service.review.tables import NewsDecision
from news_service.samples.removal import remove_samples
from news_service.samples.samples import FIRST_ID, seed
from news_service.search.tables import NewsSearch

DUMP = "INSERT INTO info_news (id, title, source, digest, content, status) VALUES (7, 't', 's', 'd', 'c', 0);"
NOTE = "sample article removed, because nothing else was here"


def ids(database: Database) -> list[int]:
    with database.read() as session:
        return list(session.scalars(select(InfoNews.id).order_by(InfoNews.id)))


@pytest.fixture
def used(database: Database, now: datetime) -> None:
    """The samples, of which the first has a comment with an answer, the second is kept, and the third edited."""
    seed(database, now)
    with database.write() as session:
        session.add(InfoComment(id=1, user_id=1, news_id=FIRST_ID, content="c"))
        session.flush()
        session.add(InfoComment(id=2, user_id=1, news_id=FIRST_ID, content="a", parent_id=1))
        session.flush()
        session.add(InfoCommentLike(comment_id=1, user_id=2))
        session.add(NewsNotice(user_id=1, kind="answer", comment_id=2, news_id=FIRST_ID, created_at=now))
        session.add(NewsDecision(decided_at=now, action="hide", comment_id=2, status_before=0, status_after=0))
        session.add(InfoUserCollection(user_id=1, news_id=FIRST_ID + 1))
        texts = {"title": "t", "source": "s", "digest": "d", "content": "c"}
        session.add(NewsRevision(news_id=FIRST_ID + 2, version=1, saved_at=now, **texts))
        session.execute(update(InfoNews).where(InfoNews.id == FIRST_ID + 2).values(version=2))


@pytest.mark.usefixtures("used")
def test_only_what_nobody_has_used_is_removed(database: Database) -> None:
    assert remove_samples(database, also_used=False) == (
        "27 sample articles removed. 3 stay, because somebody has edited, commented on or kept them; "
        "--all removes them, too."
    )
    assert ids(database) == [FIRST_ID, FIRST_ID + 1, FIRST_ID + 2]
    assert remove_samples(database, also_used=True) == "3 sample articles removed."
    assert ids(database) == []
    with database.read() as session:
        readers = (InfoComment, InfoCommentLike, InfoUserCollection, NewsNotice)
        for table in (*readers, NewsRevision, NewsDecision, NewsSearch):
            assert session.scalar(select(func.count()).select_from(table)) == 0, table


@pytest.mark.any_database
def test_an_article_with_a_samples_id_is_none(database: Database, add_article: Callable[..., int]) -> None:
    add_article(id=FIRST_ID)
    assert remove_samples(database, also_used=True) == "0 sample articles removed."
    assert ids(database) == [FIRST_ID]


def test_an_import_removes_the_samples_of_a_site_that_holds_nothing_else(
    database: Database, now: datetime, run: Callable[..., list[ImportReport]]
) -> None:
    seed(database, now)
    assert run(DUMP, is_dry_run=True)[0].tables["info_news"].notes[NOTE] == 30
    assert len(ids(database)) == 30
    assert run(DUMP)[0].tables["info_news"].notes[NOTE] == 30
    assert ids(database) == [7]
    assert run(DUMP)[0].tables["info_news"].notes[NOTE] == 0


@pytest.mark.any_database
@pytest.mark.usefixtures("used")
def test_an_import_leaves_samples_that_somebody_has_used(
    database: Database, run: Callable[..., list[ImportReport]]
) -> None:
    assert run(DUMP)[0].tables["info_news"].notes[NOTE] == 0
    assert len(ids(database)) == 31


@pytest.mark.any_database
def test_an_import_leaves_the_samples_beside_an_article_of_somebody(
    database: Database, now: datetime, add_article: Callable[..., int], run: Callable[..., list[ImportReport]]
) -> None:
    seed(database, now)
    add_article()
    run(DUMP)
    assert len(ids(database)) == 32
