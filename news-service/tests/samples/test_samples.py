"""The sample articles of the project."""

import re
from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy import select

from chassis.database import Database
from news_service.articles.articles import Articles
from news_service.articles.tables import InfoCategory, InfoNews
from news_service.samples.samples import CATEGORIES, FIRST_ID, SLUGS, read_samples, seed
from news_service.writing.sanitising import clean_html


def test_every_category_has_its_samples() -> None:
    samples = read_samples()
    assert Counter(sample.category for sample in samples) == dict.fromkeys(CATEGORIES.values(), 5)
    assert len({sample.title for sample in samples}) == len(samples)
    lengths = [len(re.findall(r"[\u4e00-\u9fff]", sample.markdown)) for sample in samples]
    assert 120 <= min(lengths) <= max(lengths) <= 300


def test_an_empty_site_gets_the_samples_once(database: Database, articles: Articles, now: datetime) -> None:
    assert [seed(database, now), seed(database, now)] == [30, 0]
    assert [(category.id, category.name) for category in articles.categories()] == list(CATEGORIES.items())
    assert [category.slug for category in articles.categories()] == list(SLUGS.values())
    page = articles.list_newest(category_id=1, cursor=None, limit=50)
    assert len(page.items) == 30
    assert all(now - timedelta(days=10) < article.published_at < now for article in page.items)
    article = articles.article_by_id(page.items[0].id)
    assert article.content.startswith("<p>")
    assert article.content == clean_html(article.content)


def test_samples_come_beside_other_articles_only_when_forced(database: Database, now: datetime, add_article) -> None:
    add_article(title="自己的")
    assert seed(database, now) == 0
    assert [seed(database, now, force=True), seed(database, now, force=True)] == [30, 0]
    with database.read() as session:
        assert session.scalars(select(InfoNews.id).order_by(InfoNews.id)).all()[:2] == [1, FIRST_ID]


def test_the_next_ids_come_after_the_samples(database: Database, now: datetime) -> None:
    seed(database, now)
    with database.write() as session:
        article = InfoNews(title="新", source="s", digest="d", content="", status=2, published_at=now)
        session.add(article)
        session.flush()
        assert article.id == FIRST_ID + 30


def test_a_site_with_other_categories_shows_the_samples_under_the_first(database: Database, now: datetime) -> None:
    with database.write() as session:
        session.add_all([InfoCategory(id=1, name="最新"), InfoCategory(id=2, name="科技")])
    seed(database, now)
    with database.read() as session:
        assert set(session.scalars(select(InfoNews.category_id))) == {1}
