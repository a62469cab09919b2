"""What a list, an article, a search and the home page take of many articles against few, and beside the classic ways.

Both sizes are measured in turns in one process, by the functions that the routes call. SQLite is always measured;
MariaDB and PostgreSQL are if TEST_MARIADB_URL and TEST_POSTGRESQL_URL name servers, as in the tests.
"""

import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import svcs
from sqlalchemy import create_engine, func, make_url, select, text, update

from bench.effort import Effort, Tell
from bench.news_database import fill_database
from bench.news_rows import AUTHORS, NewsRows
from bench.table import Row, compare, written
from chassis.database import Database
from chassis.identity import GATEWAY, INTERNAL_TOKEN_HEADER, Caller, InternalTokens
from local.redis_server import RedisServer
from news_service.app import create_app
from news_service.articles.articles import Articles
from news_service.articles.ranking import add_views
from news_service.articles.tables import APPROVED, InfoNews
from news_service.comments.tables import InfoComment
from news_service.cursors import Position, write_cursor
from news_service.search.searching import Search
from news_service.search.tables import NewsSearch
from news_service.search.terms import read_query
from news_service.settings import Settings
from news_service.tables import HIGHEST_ID

_LIMIT, _VIEWED = 20, 100
_SIZE_GOAL, _SEARCH_MS, _HOME_MS = 1.2, 50.0, 4.0
_KEY = "a key of the benchmark, never used elsewhere"


class Site:
    """One database with ``count`` articles, and what is asked of it."""

    def __init__(self, url: str, count: int) -> None:
        self.url, self.count = url, count
        self.database = Database(url)
        self.articles = Articles(self.database)
        self.search = Search(self.database, self.articles)
        last = self.articles.article_by_id(self._public_id(count // 10 or 1)).published_at
        micros = int(last.timestamp()) * 1_000_000
        self._deep = write_cursor(("newest", None, None), Position(micros, HIGHEST_ID))

    def _public_id(self, number: int) -> int:
        query = select(func.min(InfoNews.id)).where(InfoNews.id >= number, InfoNews.status == APPROVED)
        return int(self.database.read_rows(query)[0][0])

    def reads(self) -> dict[str, Callable[[], object]]:
        """Return what readers ask for, by name."""
        thread = (
            select(InfoComment.id, InfoComment.content)
            .where(InfoComment.news_id == self._public_id(self.count // 2), InfoComment.root_id == 0)
            .where(InfoComment.is_listed.is_(True))
            .order_by(InfoComment.id.desc())
            .limit(_LIMIT)
        )
        article_id = self._public_id(self.count // 2)
        lists = self.articles
        return {
            "a list page": lambda: lists.list_newest(category_id=None, cursor=None, limit=_LIMIT),
            "a page 90 % deep": lambda: lists.list_newest(category_id=None, cursor=self._deep, limit=_LIMIT),
            "a category's page": lambda: lists.list_newest(category_id=3, cursor=None, limit=_LIMIT),
            "a hot page": lambda: lists.list_hot(category_id=None, cursor=None, limit=_LIMIT),
            "an author's page": lambda: lists.list_newest(
                category_id=None, cursor=None, limit=3, author_id=AUTHORS // 2
            ),
            "an article": lambda: lists.article_by_id(article_id),
            "comments of an article": lambda: self.database.read_rows(thread),
        }

    def searches(self, rows: NewsRows) -> dict[str, str]:
        """Return queries, by name; they have hits."""
        return {
            "a frequent word": rows.words[0],
            "a middling word": rows.words[300],
            "a rare phrase": rows.rare_word(self._public_id(2)),
            "two frequent words": f"{rows.words[1]} {rows.words[2]}",
        }

    def find(self, query: str) -> object:
        """Search as the route does."""
        return self.search.find_articles(read_query(query), cursor=None, limit=_LIMIT)

    def find_by_like(self, query: str) -> object:
        """Search as the classic programs do, in the same stored texts."""
        found = select(NewsSearch.news_id).order_by(NewsSearch.position.desc()).limit(_LIMIT)
        for word in query.split():
            found = found.where(NewsSearch.plain.contains(word))
        return self.database.read_rows(found)

    def deep_by_offset(self) -> object:
        """Read the deep page by counting rows."""
        query = select(InfoNews.id, InfoNews.title, InfoNews.digest).where(InfoNews.status == APPROVED)
        ordered = query.order_by(InfoNews.published_at.desc(), InfoNews.id.desc())
        return self.database.read_rows(ordered.offset(self.count * 9 // 10).limit(_LIMIT))

    def count_views(self, *, one_by_one: bool) -> None:
        """Add a view to each of some articles: by one statement per view, or as the flush of the counted views."""
        views = dict.fromkeys(range(1, _VIEWED + 1), 1)
        if not one_by_one:
            with self.database.write() as session:
                add_views(session, views)
            return
        for article_id in views:
            with self.database.write() as session:
                session.execute(update(InfoNews).where(InfoNews.id == article_id).values(clicks=InfoNews.clicks + 1))


def measure(effort: Effort, tell: Tell) -> Iterator[Row]:
    """Fill the databases of each kind with both sizes, and measure them."""
    with tempfile.TemporaryDirectory(prefix="xj-news-") as folder:
        for kind in (
            "sqlite",
            *(name for name in ("mariadb", "postgresql") if f"TEST_{name.upper()}_URL" in os.environ),
        ):
            with ExitStack() as stack:
                urls = [stack.enter_context(_empty(kind, Path(folder))) for _ in range(2)]
                made = [_fill(url, count, kind, tell) for url, count in zip(urls, effort.articles, strict=True)]
                yield from compare_sizes(kind, urls, effort, made[1])


def _fill(url: str, count: int, kind: str, tell: Tell) -> NewsRows:
    done = [0]

    def say(written_now: int) -> None:
        done[0] += written_now
        tell(f"{kind}: {done[0]:,} of {count:,} articles")

    return fill_database(url, count, say)


@contextmanager
def _empty(kind: str, folder: Path) -> Iterator[str]:
    """Make an empty database, and drop it at the end."""
    name = f"bench_{uuid.uuid4().hex}"
    if kind == "sqlite":
        yield f"sqlite:///{folder / name}.db"
        (folder / f"{name}.db").unlink()
        return
    server = make_url(os.environ[f"TEST_{kind.upper()}_URL"])
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield server.set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"DROP DATABASE {name}"))
    engine.dispose()


def compare_sizes(kind: str, urls: list[str], effort: Effort, rows: NewsRows) -> Iterator[Row]:
    """Compare a database of few articles with one of many, and our ways with the classic ones on the many."""
    with ExitStack() as stack:
        few, many = (Site(url, count) for url, count in zip(urls, effort.articles, strict=True))
        for site in (few, many):
            stack.enter_context(closing(site.database))
        against = f"{few.count:,} articles"
        for (what, small), large in zip(few.reads().items(), many.reads().values(), strict=True):
            own, other = (statistics.median(times) for times in _in_turns(large, small, effort))
            yield compare(f"{kind}: {what}, {many.count:,}", own, other, unit="ms", against=against, at_most=_SIZE_GOAL)
        for what, query in many.searches(rows).items():
            ours, like = _in_turns(lambda q=query: many.find(q), lambda q=query: many.find_by_like(q), effort)
            yield _search_row(f"{kind}: {what}", ours, like)
        deep = many.reads()["a page 90 % deep"]
        own, other = (statistics.median(times) for times in _in_turns(deep, many.deep_by_offset, effort))
        yield compare(f"{kind}: a page 90 % deep", own, other, unit="ms", against="OFFSET")
        ways = (lambda: many.count_views(one_by_one=False), lambda: many.count_views(one_by_one=True))
        own, other = (statistics.median(times) for times in _in_turns(*ways, effort))
        yield compare(f"{kind}: {_VIEWED} views", own, other, unit="ms", against="an UPDATE per view")
        home, api = _home_cpu_ms(many.url, effort)
        yield Row(f"{kind}: CPU of the home page", f"{written(home)} ms", f"a list as JSON: {written(api)} ms",
                  home / api, f"≤ {_HOME_MS:g} ms", home <= _HOME_MS)  # fmt: skip


def _search_row(what: str, ours: list[float], like: list[float]) -> Row:
    p50, p95 = statistics.median(ours), sorted(ours)[int(0.95 * len(ours))]
    other = statistics.median(like)
    cells = f"p50 {written(p50)}, p95 {written(p95)} ms", f"LIKE: {written(other)} ms"
    return Row(what, *cells, p50 / other, f"p95 ≤ {_SEARCH_MS:g} ms", p95 <= _SEARCH_MS)


def _in_turns(
    ours: Callable[[], object], other: Callable[[], object], effort: Effort
) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each call; both are called in turns, and once before."""
    times: tuple[list[float], list[float]] = ([], [])
    ours(), other()
    until = time.monotonic() + effort.call_seconds * 3
    while time.monotonic() < until or len(times[0]) < 5:
        for act, found in zip((ours, other), times, strict=True):
            begun_at = time.perf_counter()
            act()
            found.append(1000 * (time.perf_counter() - begun_at))
    return times


def _home_cpu_ms(url: str, effort: Effort) -> tuple[float, float]:
    """Return the processor time of a home page and of a list of 13 articles, in this process."""
    with tempfile.TemporaryDirectory(prefix="xj") as folder:
        redis = RedisServer(Path(folder), Path(folder) / "redis.sock")
        redis.start()
        settings = Settings(
            database_url=url,
            redis_url=redis.url,
            internal_token_key=_KEY,
            user_service_url="http://127.0.0.1:9",
            view_flush_seconds=3600,
            images_dir=Path(folder) / "images",
        )
        app = create_app(settings)
        client = app.test_client()
        token = InternalTokens(_KEY).write_token(Caller(GATEWAY), audience="news-service")

        def cpu_ms(address: str) -> float:
            begun_at = time.thread_time()
            client.get(address, headers={INTERNAL_TOKEN_HEADER: token})
            return 1000 * (time.thread_time() - begun_at)

        for address in ("/", "/api/v1/news?limit=13"):
            cpu_ms(address)
        rounds = [(cpu_ms("/"), cpu_ms("/api/v1/news?limit=13")) for _ in range(int(100 * effort.call_seconds) + 5)]
        svcs.flask.close_registry(app)  # Its connections would keep a server from dropping the database.
        redis.stop()
    home, api = (statistics.median(column) for column in zip(*rounds, strict=True))
    return home, api
