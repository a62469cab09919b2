"""The operator's commands."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner
from flask_openapi3 import OpenAPI
from sqlalchemy import create_engine, delete, select, text, update

from chassis.database import Database
from news_service.articles.tables import InfoNews
from news_service.search.index import BATCH
from news_service.search.tables import NewsSearch
from news_service.settings import Settings

DATA = Path(__file__).parent / "data"


@pytest.fixture
def runner(app: OpenAPI) -> FlaskCliRunner:
    return app.test_cli_runner()


def test_migrate_brings_an_empty_database_to_the_newest_revision(
    empty_database_url: str, redis_url: str, internal_token_key: str, make_app: Callable[[Settings], OpenAPI]
) -> None:
    app = make_app(
        Settings(
            database_url=empty_database_url,
            redis_url=redis_url,
            internal_token_key=internal_token_key,
            user_service_url="http://127.0.0.1:1",
            images_dir=Path("images"),
        )
    )
    runner = app.test_cli_runner()
    assert [runner.invoke(args=["migrate"]).exit_code, runner.invoke(args=["migrate"]).exit_code] == [0, 0]
    engine = create_engine(empty_database_url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM info_news")) == 0
    engine.dispose()


def test_seed_says_what_it_did(runner: FlaskCliRunner) -> None:
    assert runner.invoke(args=["seed"]).stdout == "30 sample articles added.\n"
    assert runner.invoke(args=["seed"]).stdout == "There are articles already; nothing added.\n"


def test_migrate_indexes_what_is_missing_and_reindex_everything(
    runner: FlaskCliRunner, database: Database, add_article: Callable[..., int]
) -> None:
    for _ in range(BATCH + 1):
        add_article(title="上海")
    assert runner.invoke(args=["migrate"]).stdout == "The news database is at the newest revision.\n"
    assert _indexed(database) == dict.fromkeys(range(1, BATCH + 2), " 上海 ")
    with database.write() as session:
        session.execute(update(InfoNews).where(InfoNews.id <= 2).values(title="北京"))
        session.execute(update(InfoNews).where(InfoNews.id == 2).values(status=3))
        session.execute(delete(NewsSearch).where(NewsSearch.news_id == 3))
    assert runner.invoke(args=["reindex"]).stdout == "The index of the search is complete.\n"
    assert _indexed(database) == {1: " 北京 "} | dict.fromkeys(range(3, BATCH + 2), " 上海 ")


def _indexed(database: Database) -> dict[int, str]:
    with database.read() as session:
        rows = session.execute(select(NewsSearch.news_id, NewsSearch.plain)).all()
    return {row.news_id: row.plain.partition("|")[0] for row in rows}


def test_import_prints_a_report(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["import-sql", str(DATA / "information_info_category.sql")])
    assert result.exit_code == 0
    assert result.stdout == (
        "information_info_category.sql\n"
        "table          read  written  changed  unchanged  refused\n"
        "info_category     6        6        0          0        0\n"
    )


def test_a_dry_run_says_so(runner: FlaskCliRunner) -> None:
    file = str(DATA / "information_info_category.sql")
    assert "(dry run, nothing written)" in runner.invoke(args=["import-sql", "--dry-run", file]).stdout
    assert "6        6" in runner.invoke(args=["import-sql", file]).stdout


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "not UTF-8"),
        ("INSERT INTO t VALUES ('café');".encode("latin1"), "not UTF-8"),
        (b"INSERT INTO info_category VALUES (null,null,1,'a", "ends inside a text that begins in line 1"),
        (b"hello", "holds no INSERT"),
    ],
)
def test_a_wrong_file_gets_a_message_and_no_traceback(
    runner: FlaskCliRunner, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "wrong.sql"
    path.write_bytes(content)
    result = runner.invoke(args=["import-sql", str(DATA / "information_info_category.sql"), str(path)])
    assert result.exit_code == 1
    assert f"Error: wrong.sql: the file {message}" in result.stderr.replace("is not", "not")
    assert "Nothing was written." in result.stderr
    assert "6        6" in runner.invoke(args=["import-sql", str(DATA / "information_info_category.sql")]).stdout


@pytest.mark.any_database
def test_a_missing_file_and_an_unknown_zone_are_usage_errors(runner: FlaskCliRunner) -> None:
    assert runner.invoke(args=["import-sql", "nowhere.sql"]).exit_code == 2
    file = str(DATA / "information_info_category.sql")
    result = runner.invoke(args=["import-sql", "--time-zone", "Mars/Base", file])
    assert (result.exit_code, "not a time zone" in result.stderr) == (2, True)
