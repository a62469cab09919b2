"""The search finds the same on every database: what LIKE finds, the newest first, in pages."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from sqlalchemy import insert, select

from chassis.database import Database
from chassis.errors import RequestInvalid
from news_service.articles.articles import Articles
from news_service.articles.tables import APPROVED, InfoNews
from news_service.search.index import index_articles
from news_service.search.searching import NEWEST, Search
from news_service.search.terms import read_query

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
# Few different ones, so that words meet often, and as parts of others.
CHINESE, ENGLISH = "上海房地产芯片", ("a", "of", "the", "c919", "chip", "chips")


@pytest.fixture
def search(database: Database, articles: Articles, now: datetime) -> Search:
    """The search as it is at the moment of the tests."""
    return Search(database, articles, clock=lambda: now)


@pytest.fixture
def publish(database: Database, add_article: Callable[..., int]) -> Callable[..., int]:
    """Add an article to the site and to the index."""

    def publish(**columns: object) -> int:
        article_id = add_article(**{"digest": "", "content": ""} | columns)
        with database.write() as session:
            index_articles(session, [article_id])
        return article_id

    return publish


def found(search: Search, text: str, *, limit: int = 50) -> list[int]:
    """Search, page by page."""
    query, cursor, ids = read_query(text), None, []
    while True:
        page = search.find_articles(query, cursor=cursor, limit=limit)
        ids += [article.id for article in page.items]
        if (cursor := page.next_cursor) is None:
            return ids


def test_words_are_found_in_title_digest_and_content(search: Search, publish: Callable[..., int]) -> None:
    publish(title="上海芯片")
    publish(digest="说上海的房地产")
    publish(content="<p>上<b>海</b></p><p>海房</p>")
    publish(title="海上")
    assert found(search, "上海") == [3, 2, 1]
    assert found(search, "上海 芯片") == [1]
    assert found(search, "海海房") == []


def test_words_of_english_and_of_both_scripts_are_found_whole(search: Search, publish: Callable[..., int]) -> None:
    publish(content="The C919 飞 and a chip, of course")
    publish(content="C919大飞机 chips, A股市场")
    assert [found(search, text) for text in ("chip", "THE", "of a", "c919", "ｃ９１９")] == [
        [1],
        [1],
        [1],
        [2, 1],
        [2, 1],
    ]
    assert [found(search, text) for text in ("C919大飞", "A股", "A股市场", "9大飞")] == [[2], [2], [2], []]


def test_one_character_is_found_in_titles(search: Search, publish: Callable[..., int]) -> None:
    publish(title="股市")
    publish(title="债市", content="股市")
    publish(title="A股")
    assert [found(search, text) for text in ("股", "市", "股 市", "市、股")] == [[3, 1], [2, 1], [1], [1]]


def test_only_what_is_approved_and_published_is_found(
    search: Search, publish: Callable[..., int], now: datetime
) -> None:
    publish(title="上海", published_at=now)
    for columns in ({"status": 1}, {"status": -1}, {"status": 2}, {"status": 3}):
        publish(title="上海", **columns)
    publish(title="上海", published_at=now + timedelta(seconds=1))
    publish(title="上海", published_at=now + timedelta(microseconds=1))
    assert found(search, "上海") == [1]


def test_a_row_that_was_left_behind_shows_nothing(
    search: Search, publish: Callable[..., int], database: Database
) -> None:
    article_id = publish(title="上海")
    with database.write() as session:
        session.get_one(InfoNews, article_id).status = 3
    assert found(search, "上海") == []


def test_hits_come_newest_first_and_pages_have_no_gap(search: Search, publish: Callable[..., int]) -> None:
    for hours in (2, 0, 1, 1, 1, 3):
        publish(title="上海", published_at=FIRST + timedelta(hours=hours))
    assert [found(search, "上海", limit=limit) for limit in (1, 2, 6)] == [[6, 1, 5, 4, 3, 2]] * 3


def test_a_cursor_of_another_query_is_refused(search: Search, publish: Callable[..., int]) -> None:
    for _ in range(2):
        publish(title="上海房")
    page = search.find_articles(read_query("上海"), cursor=None, limit=1)
    with pytest.raises(RequestInvalid):
        search.find_articles(read_query("海房"), cursor=page.next_cursor, limit=1)


def test_a_word_behind_the_newest_articles_is_found(search: Search, database: Database, categories: None) -> None:
    usual = {"source": "s", "digest": "", "content": "", "status": APPROVED}
    rows = [
        usual
        | {
            "id": number,
            "title": "房产" if number % 300 == 1 else "上海",
            "published_at": FIRST + timedelta(hours=number),
        }
        for number in range(1, NEWEST + 200)
    ]
    with database.write() as session:
        session.execute(insert(InfoNews), rows)
        index_articles(session, range(1, NEWEST + 200))
    assert found(search, "房产", limit=2) == [901, 601, 301, 1]
    assert found(search, "上海", limit=50)[:3] == [1199, 1198, 1197]


def _texts(random: Random) -> Iterator[str]:
    """Write Chinese runs and English words with a sign or a space between."""
    for _ in range(random.randint(0, 6)):
        yield (
            "".join(random.choices(CHINESE, k=random.randint(1, 6)))
            if random.random() < 0.7
            else random.choice(ENGLISH)
        )
        yield random.choice("，。 　-|%")


@pytest.mark.parametrize("seed", range(3))
def test_the_search_finds_what_like_finds(
    search: Search, database: Database, publish: Callable[..., int], seed: int
) -> None:
    random = Random(seed)
    for number in range(60):
        title, digest, content = ("".join(_texts(random)) for _ in range(3))
        publish(
            title=title, digest=digest, content=f"<p>{content}</p>", published_at=FIRST + timedelta(hours=number % 50)
        )
    words = ["".join(random.choices(CHINESE, k=random.randint(2, 5))) for _ in range(60)]
    for query in [*words, *(f"{first} {second}" for first, second in pairwise(words))]:
        assert found(search, query, limit=7) == _like(database, query.split()), query


def _like(database: Database, words: list[str]) -> list[int]:
    query = select(InfoNews.id).order_by(InfoNews.published_at.desc(), InfoNews.id.desc())
    for word in words:
        query = query.where(
            InfoNews.title.contains(word) | InfoNews.digest.contains(word) | InfoNews.content.contains(word)
        )
    with database.read() as session:
        return list(session.scalars(query))
