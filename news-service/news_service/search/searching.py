"""Finds articles by words, the newest first.

The `NEWEST` articles are read first: a frequent word fills a page there, while an index would collect all its hits.
Only for a word that does not is the index asked; SQLite's gives the hits by falling position, the others' are sorted.
The index tells which articles have all terms, and LIKE on the stored text which of these have the words.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any  # Rows of differing columns.

from sqlalchemy import Row, TextClause, text

from chassis.database import Database, utc_now
from news_service.articles.articles import Article, Articles
from news_service.cursors import KeysetPage, Position, cut_page, read_cursor
from news_service.search.index import join_position, position_of, split_position
from news_service.search.terms import Query
from news_service.tables import HIGHEST_ID

NEWEST = 1000
_SUBQUERY = (
    "SELECT position, news_id FROM (SELECT position, news_id, plain FROM news_search WHERE position <= :until"
    " ORDER BY position DESC LIMIT :newest) newest WHERE {words} ORDER BY position DESC LIMIT :limit"
)
_NEWEST_FIRST = {
    # SQLite would read all rows of the subquery and sort them; here it ends with a full page.
    "sqlite": "SELECT position, news_id FROM news_search WHERE position <= :until AND position >= (SELECT min(position)"
    " FROM (SELECT position FROM news_search WHERE position <= :until ORDER BY position DESC LIMIT :newest))"
    " AND {words} ORDER BY position DESC LIMIT :limit",
    "mysql": _SUBQUERY,
    "postgresql": _SUBQUERY,
}
_BY_INDEX = {
    "sqlite": "SELECT position, news_id FROM news_search_terms CROSS JOIN news_search"
    " ON news_search.position = news_search_terms.rowid WHERE news_search_terms MATCH :terms"
    " AND news_search_terms.rowid <= :until AND {words} ORDER BY news_search_terms.rowid DESC LIMIT :limit",
    "mysql": "SELECT position, news_id FROM news_search WHERE MATCH (terms) AGAINST (:terms IN BOOLEAN MODE)"
    " AND position <= :until AND {words} ORDER BY position DESC LIMIT :limit",
    # OFFSET 0 keeps the planner from walking the whole table by position, when it takes a word for a frequent one.
    "postgresql": "SELECT position, news_id FROM (SELECT position, news_id FROM news_search"
    " WHERE terms @@ CAST(:terms AS tsquery) AND position <= :until AND {words} OFFSET 0) found"
    " ORDER BY position DESC LIMIT :limit",
}
_ALL_TERMS = {"sqlite": " AND ", "mysql": " ", "postgresql": " & "}
_TERM = {"sqlite": '"{}"', "mysql": "+{}", "postgresql": "{}"}


@dataclass(frozen=True)
class Search:
    """Searches the articles that the public may read."""

    database: Database
    articles: Articles
    clock: Callable[[], datetime] = utc_now

    def find_articles(self, query: Query, *, cursor: str | None, limit: int) -> KeysetPage[Article]:
        """Return a page of the articles that have all words, with their contents, the newest first.

        Raises:
            RequestInvalid: the cursor is broken or belongs to another query.
        """
        name = ("search", query.name)
        until = position_of(self.clock(), HIGHEST_ID)
        if (last := read_cursor(cursor, name)) is not None:
            until = min(until, join_position(last.key, last.item_id) - 1)
        # One row more than the page shows whether there is a next page.
        page = cut_page(self._find(query, until=until, limit=limit + 1), limit, name, _position)
        articles = self.articles.articles_by_ids([row.news_id for row in page.items])
        return KeysetPage(articles, page.next_cursor)

    def _find(self, query: Query, *, until: int, limit: int) -> Sequence[Row[*tuple[Any, ...]]]:
        kind, count = self.database.kind, len(query.words)
        values: dict[str, Any] = {f"word{number}": word.pattern for number, word in enumerate(query.words)}
        values |= {"until": until, "limit": limit}
        newest = self.database.read_rows(_statement(_NEWEST_FIRST[kind], count), values | {"newest": NEWEST})
        if len(newest) == limit:
            return newest
        terms = _ALL_TERMS[kind].join(map(_TERM[kind].format, query.terms))
        return self.database.read_rows(_statement(_BY_INDEX[kind], count), values | {"terms": terms})


@cache  # Of 32 forms at most.
def _statement(form: str, count: int) -> TextClause:
    return text(form.format(words=" AND ".join(f"plain LIKE :word{number}" for number in range(count))))


def _position(row: Row[*tuple[Any, ...]]) -> Position:
    return Position(*split_position(row.position))
