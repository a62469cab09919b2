"""Fills a database with articles, comments and the index of the search: ``python -m bench.news_database URL -n 10000``.

The database must be empty. It is migrated first, and the full-text index of a server is made at the end.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any, TypeVar

import click
from sqlalchemy import Connection, Table, create_engine, insert, text

from bench.news_rows import COMMENTS_PER_ARTICLE, LAST_MOMENT, SECONDS_APART, ArticleRows, NewsRows
from chassis.migrations import migrate
from news_service.articles.tables import InfoCategory, InfoNews
from news_service.comments.tables import InfoComment
from news_service.readers.tables import InfoUserCollection, InfoUserFans
from news_service.samples.samples import CATEGORIES
from news_service.search.tables import NewsSearch

Row = TypeVar("Row")
READER = 1
"""The user who has favourites and follows authors."""

ORIGINALS = 10_000
_BATCH = 1000
_FOLLOWED, _FAVOURITES = 20, 1000
_TIMES = ("published_at", "create_time", "update_time", "submitted_at")
_LATER = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S.000000', {name}, '+{seconds} seconds')",
    "postgresql": "{name} + {seconds} * interval '1 second'",
    "mysql": "{name} + INTERVAL {seconds} SECOND",
}
_BEFORE = {
    "sqlite": [
        "PRAGMA journal_mode=OFF",
        "PRAGMA synchronous=OFF",
        "PRAGMA cache_size=-1000000",
        "PRAGMA foreign_keys=OFF",
        "CREATE TEMPORARY TABLE original_terms (position INTEGER, news_id INTEGER, terms TEXT)",
    ],
    "postgresql": ["DROP INDEX ix_news_search_terms", "SET session_replication_role = replica"],
    "mysql": [
        "DROP INDEX ix_news_search_terms ON news_search",
        "SET foreign_key_checks = 0",
        "SET unique_checks = 0",
    ],
}
_AFTER = {
    "sqlite": [],
    "postgresql": [
        "SET maintenance_work_mem = '512MB'",
        "CREATE INDEX ix_news_search_terms ON news_search USING gin (terms)",
        "VACUUM ANALYZE",
    ],
    "mysql": [
        "CREATE FULLTEXT INDEX ix_news_search_terms ON news_search (terms)",
        "ANALYZE TABLE info_news, info_comment, news_search",
    ],
}


def fill_database(url: str, count: int, tell: Callable[[int], object], *, seed: int = 1) -> NewsRows:
    """Migrate an empty database and write ``count`` articles with all that belongs to them; return what made them.

    Articles beyond the first 10,000 are copies, which the database makes itself, with ids and times of their own.
    ``tell`` is called with the number of articles that were written since the last call.
    """
    migrate(url, scripts="news_service:migrations")
    rows = NewsRows(
        min(count, ORIGINALS),
        until=LAST_MOMENT - timedelta(seconds=SECONDS_APART * max(count - ORIGINALS, 0)),
        seed=seed,
    )
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in _BEFORE[engine.dialect.name]:
            connection.execute(text(statement))
        _write_readers(connection, count)
        for batch in _batches(iter(rows), _BATCH):
            # By hand, because the settings above are those of one connection, which commits by itself otherwise.
            connection.execute(text("BEGIN"))
            _write_articles(connection, batch)
            connection.execute(text("COMMIT"))
            tell(len(batch))
        for first in range(ORIGINALS, count, ORIGINALS):
            connection.execute(text("BEGIN"))
            _copy_originals(connection, first, min(ORIGINALS, count - first))
            connection.execute(text("COMMIT"))
            tell(min(ORIGINALS, count - first))
        for statement in _AFTER[engine.dialect.name]:
            connection.execute(text(statement))
    engine.dispose()
    return rows


def _copy_originals(connection: Connection, shift: int, count: int) -> None:
    """Copy the first ``count`` articles to ids that are ``shift`` higher, and as many minutes later."""
    seconds = SECONDS_APART * shift
    later = _LATER[connection.dialect.name]
    comments = COMMENTS_PER_ARTICLE * shift
    changed = {
        "info_news": {"id": f"id + {shift}", "hot_score": f"hot_score + {round(seconds / 129_600 * 1_000_000)}"}
        | {name: later.format(name=name, seconds=seconds) for name in _TIMES},
        "info_comment": {
            "id": f"id + {comments}",
            "news_id": f"news_id + {shift}",
            "parent_id": f"parent_id + {comments}",
        }
        | {"root_id": f"CASE WHEN root_id = 0 THEN 0 ELSE root_id + {comments} END"},
        "news_search": {"position": f"position + {seconds * 2**31 + shift}", "news_id": f"news_id + {shift}"},
    }
    for table in (InfoNews.__table__, InfoComment.__table__, NewsSearch.__table__):
        names = [column.name for column in table.columns]
        values = ", ".join(changed[table.name].get(name, name) for name in names)
        key = "id" if table.name == "info_news" else "news_id"
        into = f"INSERT INTO {table.name} ({', '.join(names)})"
        connection.execute(text(f"{into} SELECT {values} FROM {table.name} WHERE {key} <= {count}"))
    if connection.dialect.name == "sqlite":
        connection.execute(
            text(
                "INSERT INTO news_search_terms (rowid, terms)"
                f" SELECT position + {seconds * 2**31 + shift}, terms FROM original_terms WHERE news_id <= {count}"
            )
        )


def _batches(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while batch := list(islice(rows, size)):
        yield batch


def _write_readers(connection: Connection, count: int) -> None:
    _write(connection, InfoCategory.__table__, [{"id": number, "name": name} for number, name in CATEGORIES.items()])
    followed = [{"follower_id": READER, "followed_id": author} for author in range(2, _FOLLOWED + 2)]
    _write(connection, InfoUserFans.__table__, followed)
    favourites = [{"user_id": READER, "news_id": number} for number in range(1, min(_FAVOURITES, count) + 1)]
    _write(connection, InfoUserCollection.__table__, favourites)


def _write_articles(connection: Connection, batch: list[ArticleRows]) -> None:
    _write(connection, InfoNews.__table__, [rows.article for rows in batch])
    _write(connection, InfoComment.__table__, [comment for rows in batch for comment in rows.comments])
    search = [rows.search for rows in batch if rows.search is not None]
    if connection.dialect.name == "sqlite":
        _write(connection, NewsSearch.__table__, [row | {"terms": None} for row in search])
        statement = "INSERT INTO news_search_terms (rowid, terms) VALUES (:position, :terms)"
        connection.execute(text(statement), search)
        connection.execute(text("INSERT INTO original_terms VALUES (:position, :news_id, :terms)"), search)
    elif connection.dialect.name == "postgresql":
        # What the text of a tsvector looks like: the terms, each in quotes.
        quoted = [row | {"terms": "'" + row["terms"].replace(" ", "' '") + "'"} for row in search]
        _write(connection, NewsSearch.__table__, quoted)
    else:
        _write(connection, NewsSearch.__table__, search)


def _write(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if connection.dialect.name != "postgresql":
        connection.execute(insert(table), rows)
        return
    driver: Any = connection.connection.dbapi_connection
    names = list(rows[0])
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([_plain(row[name]) for name in names])


def _plain(value: Any) -> Any:
    return value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value


def main(arguments: Iterable[str] | None = None) -> None:
    """Fill the database that is named."""
    parser = argparse.ArgumentParser(prog="python -m bench.news_database", description=__doc__.partition("\n")[0])
    parser.add_argument("url", help="of an empty database: sqlite:///…, mysql+pymysql://… or postgresql+psycopg://…")
    parser.add_argument("-n", "--articles", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(None if arguments is None else list(arguments))
    with click.progressbar(length=options.articles, label="Articles", file=sys.stderr, show_pos=True) as bar:
        fill_database(options.url, options.articles, bar.update, seed=options.seed)


if __name__ == "__main__":
    main()
