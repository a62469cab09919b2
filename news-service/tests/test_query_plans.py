"""What the databases do for each list: no sort, and no table that is read from end to end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, create_engine, event, insert, text

from chassis.database import Database
from news_service.articles.tables import APPROVED, InfoNews
from news_service.search.index import index_articles

ARTICLES = 3000
LISTS = [
    "/api/v1/news?order=newest",
    "/api/v1/news?order=hot",
    "/api/v1/news?category=3",
    "/api/v1/news?category=3&order=hot",
    "/api/v1/news?author=7",
    "/api/v1/news?author=7&order=hot",
]
# How many statements each request costs, whatever the number of articles, and with `limit` at its most.
COUNTS = {
    "/": 3,
    "/?category=3": 3,
    "/news/5": 3,
    "/api/v1/categories": 1,
    "/api/v1/news?limit=50": 1,
    "/api/v1/news?order=hot&limit=50": 1,
    "/api/v1/news/5": 1,
    "/api/v1/search?q=上海&limit=50": 2,
}


@pytest.fixture
def many_articles(database: Database, database_url: str, categories: None) -> None:
    """So many articles that a planner prefers an index."""
    random = Random(1)
    first = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {"id": number, "title": "上海", "source": "s", "digest": "d" * 100, "content": "c" * 500, "status": APPROVED,
         "category_id": random.randint(2, 6), "user_id": random.randint(1, 20), "hot_score": random.randint(1, 10**9),
         "published_at": first + timedelta(hours=number)}
        for number in range(1, ARTICLES + 1)
    ]  # fmt: skip
    with database.write() as session:
        session.execute(insert(InfoNews), rows)
        index_articles(session, range(1, 101))
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("ANALYZE TABLE info_news" if engine.dialect.name == "mysql" else "ANALYZE"))
    engine.dispose()


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements, with their values, that any engine is given."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        seen.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def plan_of(connection: Connection, statement: str, values: Any) -> list[str]:
    """Explain a statement: one line per step."""
    if connection.dialect.name == "sqlite":
        return [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    rows = connection.exec_driver_sql(f"EXPLAIN {statement}", values).all()
    if connection.dialect.name == "postgresql":
        return [row[0] for row in rows]
    return [json.dumps(dict(row._mapping), default=str) for row in rows]


def faults(plan: list[str]) -> list[str]:
    """Return the steps that sort, or read a whole table."""
    marks = ("TEMP B-TREE", "SCAN info_news", "Using filesort", "Using temporary", '"type": "ALL"', "Sort", "Seq Scan")
    return [step for step in plan if any(mark in step for mark in marks)]


def _plans(database_url: str, seen: list[tuple[str, Any]]) -> list[list[str]]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        plans = [plan_of(connection, *each) for each in seen]
    engine.dispose()
    return plans


def test_no_list_is_sorted_or_read_from_end_to_end(client: FlaskClient, database_url: str, many_articles: None) -> None:
    for address in LISTS:
        with statements() as seen:
            cursor = client.get(address).json["next_cursor"]
            for _ in range(3):
                answer = client.get(f"{address}&cursor={cursor}")
                cursor = answer.json["next_cursor"]
        plans = _plans(database_url, seen)
        assert len(plans) == 4
        assert [faults(plan) for plan in plans] == [[]] * 4, address


@pytest.mark.any_database  # The others choose by the size of a table, and a part is small.
def test_the_sitemap_walks_along_the_ids(client: FlaskClient, database_url: str, many_articles: None) -> None:
    with statements() as seen:
        assert client.get("/sitemap.xml").status_code == 200
        assert client.get("/sitemaps/1/articles.xml").text.count("<loc>") == ARTICLES
    plans = _plans(database_url, seen)
    assert len(plans) == 3
    assert [faults(plan) for plan in plans] == [[]] * 3


def test_a_sort_and_a_whole_table_are_noticed(database_url: str, many_articles: None) -> None:
    plans = _plans(database_url, [("SELECT id FROM info_news WHERE digest <> 'x' ORDER BY source, id LIMIT 5", ())])
    assert faults(plans[0])


@pytest.mark.any_database
@pytest.mark.parametrize("address", COUNTS)
def test_a_request_costs_a_fixed_number_of_statements(
    client: FlaskClient, many_articles: None, user_service: Any, address: str
) -> None:
    with statements() as seen:
        assert client.get(address).status_code == 200
    assert len(seen) == COUNTS[address]
    assert len(user_service.asked) <= 1
