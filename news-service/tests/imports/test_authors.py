"""Whose rows an import takes: those of the people who are the same in user-service, and nothing of anybody else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any  # The stand-in for user-service of conftest.py.

import pytest
from flask_openapi3 import OpenAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from chassis.database import Database
from chassis.dumps.report import ImportReport
from news_service.articles.tables import InfoNews
from news_service.comments.tables import InfoComment, InfoCommentLike
from news_service.readers.tables import InfoUserCollection, InfoUserFans

Import = Callable[..., list[ImportReport]]
DAY = "'2019-01-01 08:00:00'"
STRANGER = "its user is not the same person here (id and mobile)"
PEOPLE = {1: "13800138001", 2: "13800138002", 3: "13800138003"}


def dump(people: dict[int, str] = PEOPLE) -> str:
    """A dump: person n wrote article n and comment n on it, likes comment 1, keeps article 1 and follows person 1."""
    accounts = "".join(f"(null,null,{n},'n{n}','h','{mobile}',null,null,0,null,'MAN')," for n, mobile in people.items())
    articles = "".join(f"({DAY},{DAY},{n},'t{n}','s{n}','d','c',0,'',null,{n},0,null)," for n in PEOPLE)
    comments = "".join(f"({DAY},{DAY},{n},{n},{n},'c{n}',null,2)," for n in PEOPLE)
    answers = "".join(f"({DAY},{DAY},{n + 10},{n},2,'a{n}',2,0)," for n in PEOPLE)
    likes = "".join(f"(null,null,1,{n})," for n in PEOPLE)
    kept = "".join(f"({n},1,{DAY})," for n in PEOPLE)
    fans = "(2,1),(3,1),(1,3)"
    return "".join(
        f"INSERT INTO {table} VALUES {rows.rstrip(',')};\n"
        for table, rows in {
            "info_user": accounts,
            "info_news": articles,
            "info_comment": comments + answers,
            "info_comment_like": likes,
            "info_user_collection": kept,
            "info_user_fans": fans,
        }.items()
        if rows
    )


def ids(database: Database, *columns: Any) -> list[Any]:
    with database.read() as session:
        return sorted(tuple(row) for row in session.execute(select(*columns)))


@pytest.fixture
def everything(database: Database) -> Callable[[], dict[str, list[Any]]]:
    """Read whom each stored row belongs to."""

    def read() -> dict[str, list[Any]]:
        return {
            "articles": [(number, user or 0) for number, user in _nullable(database, InfoNews.id, InfoNews.user_id)],
            "comments": ids(database, InfoComment.id, InfoComment.user_id),
            "likes": ids(database, InfoCommentLike.comment_id, InfoCommentLike.user_id),
            "favourites": ids(database, InfoUserCollection.user_id, InfoUserCollection.news_id),
            "follows": ids(database, InfoUserFans.follower_id, InfoUserFans.followed_id),
        }

    return read


def _nullable(database: Database, *columns: Any) -> list[Any]:
    with database.read() as session:
        return [tuple(row) for row in session.execute(select(*columns).order_by(columns[0]))]


def test_T48_nothing_of_a_stranger_is_stored_under_an_id_of_somebody_here(
    run: Import, user_service: Any, everything: Callable[[], dict[str, list[Any]]]
) -> None:
    user_service.accounts = {1: PEOPLE[1], 2: "13900139000", 3: PEOPLE[3]}  # The id 2 is somebody else's here.
    (report,) = run(dump())
    assert everything() == {
        "articles": [(1, 1), (2, 0), (3, 3)],
        "comments": [(1, 1), (3, 3), (11, 1), (13, 3)],
        "likes": [(1, 1), (1, 3)],
        "favourites": [(1, 1), (3, 1)],
        "follows": [(1, 3), (3, 1)],
    }
    lines = report.lines()
    assert f"info_news: 1 × {STRANGER.replace('user', 'author', 1)}, kept without an author" in lines
    assert [line for line in lines if "refused:" in line] == [
        f"info_comment: 2 × refused: {STRANGER} (line 3, 3)",
        *(f"info_{name}: 1 × refused: {STRANGER} (line {line})" for name, line in KINDS),
    ]
    assert "info_comment: 2 × the comment that it answers is not there" in lines
    assert lines[-1] == (
        "info_user: skipped, accounts belong to user-service, where 2 of 3 are the same person (3 rows)"
    )


KINDS = (("comment_like", 4), ("user_collection", 5), ("user_fans", 6))


@pytest.mark.any_database
def test_T48_without_the_accounts_of_the_dump_nobody_is_known(
    run: Import, user_service: Any, everything: Callable[[], dict[str, list[Any]]]
) -> None:
    user_service.accounts = dict(PEOPLE)
    (report,) = run(dump(people={}))
    assert everything() == {
        "articles": [(1, 0), (2, 0), (3, 0)],
        **{kind: [] for kind in ("comments", "likes", "favourites", "follows")},
    }
    assert "no file has info_user; name the file with the accounts, too" in "\n".join(report.lines())
    assert user_service.batches == []


@pytest.mark.any_database
def test_who_is_imported_later_gets_what_is_theirs_by_a_second_run(
    run: Import, user_service: Any, everything: Callable[[], dict[str, list[Any]]]
) -> None:
    user_service.accounts = {}
    run(dump())
    user_service.accounts = dict(PEOPLE)
    run(dump())
    whole = everything()
    assert whole["articles"] == [(1, 1), (2, 2), (3, 3)]
    assert [len(rows) for rows in whole.values()] == [3, 6, 3, 3, 3]
    (report,) = run(dump())
    assert [table.written + table.changed for table in report.tables.values()] == [0] * 5


@pytest.mark.any_database
def test_a_repeated_import_takes_nothing_from_who_left_or_changed_the_mobile(
    run: Import, user_service: Any, everything: Callable[[], dict[str, list[Any]]]
) -> None:
    user_service.accounts = dict(PEOPLE)
    run(dump())
    before = everything()
    user_service.accounts = {1: PEOPLE[1], 3: "13900139000"}
    (report,) = run(dump())
    assert everything() == before
    assert [table.written + table.changed for table in report.tables.values()] == [0] * 5
    kept = report.tables["info_news"].notes["belongs to another user here, kept as it is here"]
    assert kept == 2


@pytest.mark.any_database
def test_an_article_that_somebody_wrote_here_is_not_the_dumps(
    run: Import, user_service: Any, database: Database, now: Any, everything: Callable[[], dict[str, list[Any]]]
) -> None:
    user_service.accounts = dict(PEOPLE)
    with database.write() as session:
        usual = {"source": "s", "digest": "d", "content": "c", "status": 0, "published_at": now}
        session.add(InfoNews(id=1, title="here", user_id=9, create_time=now, **usual))
        session.flush()
        session.add(InfoComment(id=3, user_id=9, news_id=1, content="here", create_time=now))
    (report,) = run(dump())
    assert everything() == {
        "articles": [(1, 9), (2, 2), (3, 3)],
        "comments": [(2, 2), (3, 9), (11, 1), (12, 2), (13, 3)],
        "likes": [],
        "favourites": [],
        "follows": [(1, 3), (2, 1), (3, 1)],
    }
    reason = "its id belongs to something else of another user here"
    assert [report.tables[name].reasons[reason] for name in ("info_news", "info_comment")] == [1, 1]


@pytest.mark.any_database
def test_a_like_of_a_strangers_comment_is_no_like_of_the_comment_with_its_id_here(
    run: Import, user_service: Any, database: Database, now: Any, add_article: Callable[..., int]
) -> None:
    add_article(id=100)
    with database.write() as session:
        session.add(InfoComment(id=1, user_id=9, news_id=100, content="here", create_time=now))
    user_service.accounts = {2: PEOPLE[2], 3: PEOPLE[3]}
    run(dump())
    assert ids(database, InfoCommentLike.comment_id) == []


@pytest.mark.any_database
def test_user_service_is_asked_in_batches(run: Import, user_service: Any) -> None:
    run(dump({number: f"138{number:08}" for number in range(1, 1101)}), dump({1: "13800000001"}))
    assert user_service.batches == [500, 500, 101]


@pytest.mark.any_database
@pytest.mark.parametrize(
    "people", ["2,'n','h','13800138002'", "2,'n','h',null", "'x','n','h','13800138002'", "2,'n','h','" + "1" * 41 + "'"]
)
def test_T48_an_id_with_two_mobiles_or_none_is_nobody(
    run: Import, user_service: Any, everything: Callable[[], dict[str, list[Any]]], people: str
) -> None:
    user_service.accounts = {1: PEOPLE[1], 2: PEOPLE[2]}
    other = f"INSERT INTO info_user VALUES (null,null,{people},null,null,0,null,null);"
    run(dump({1: PEOPLE[1], 2: "13900139000"}), other)
    assert everything()["articles"] == [(1, 1), (2, 0), (3, 0)]


@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
@given(data=st.data())
@pytest.mark.any_database
def test_T48_every_row_belongs_to_the_same_person_as_in_the_dump(
    run: Import, user_service: Any, everything: Callable[[], dict[str, list[Any]]], database: Database, data: Any
) -> None:
    """Whoever is here, in whatever runs: no row names a user who was never the same person."""
    same = data.draw(st.sets(st.sampled_from(sorted(PEOPLE))))
    with database.write() as session:
        for model in (InfoCommentLike, InfoUserCollection, InfoUserFans, InfoComment, InfoNews):
            session.query(model).update({"parent_id": None}) if model is InfoComment else None
            session.query(model).delete()
    user_service.accounts = {number: mobile if number in same else "13900139000" for number, mobile in PEOPLE.items()}
    for _ in range(2):
        run(dump())
        stored = everything()
        assert stored["articles"] == [(number, number if number in same else 0) for number in PEOPLE]
        assert {user for _, user in stored["comments"] + stored["likes"]} <= same
        assert {user for user, _ in stored["favourites"]} <= same
        assert {user for pair in stored["follows"] for user in pair} <= same


@pytest.fixture
def import_sql(app: OpenAPI, tmp_path: Path) -> Callable[[str], Any]:
    def call(text: str) -> Any:
        path = tmp_path / "dump.sql"
        path.write_text(text, encoding="utf-8")
        return app.test_cli_runner().invoke(args=["import-sql", str(path)])

    return call


@pytest.mark.any_database
@pytest.mark.parametrize("status", [401, 404, 500, 503])
def test_T48_without_an_answer_of_user_service_nothing_is_written(
    import_sql: Callable[[str], Any], user_service: Any, everything: Callable[[], dict[str, list[Any]]], status: int
) -> None:
    user_service.status = status
    result = import_sql(dump())
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Error: user-service does not say which accounts it has" in result.stderr
    assert "Nothing was written." in result.stderr
    assert set(map(len, everything().values())) == {0}
    user_service.status = 200
    assert import_sql(dump()).exit_code == 0
