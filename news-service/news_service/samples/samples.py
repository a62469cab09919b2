"""The project's own sample articles, for a site without articles."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.dumps.importing import move_sequences
from news_service.articles.ranking import hot_score
from news_service.articles.tables import APPROVED, InfoCategory, InfoNews
from news_service.search.index import index_articles
from news_service.writing.texts import render_markdown

CATEGORIES = {1: "最新", 2: "股市", 3: "债市", 4: "商品", 5: "外汇", 6: "公司"}
SLUGS = {1: "latest", 2: "stocks", 3: "bonds", 4: "commodities", 5: "forex", 6: "companies"}
# Far above the ids of course dumps, so that a dump that is imported later keeps its ids.
FIRST_ID = 100_001


@dataclass(frozen=True)
class Sample:
    """One sample article; ``hours_old`` is its age at the moment of seeding."""

    title: str
    category: str
    source: str
    hours_old: int
    clicks: int
    digest: str
    markdown: str


def read_samples() -> list[Sample]:
    """Read the sample articles of the package, in the order of their file names.

    Raises:
        FileNotFoundError: the package came without them.
    """
    paths = (path for path in files("news_service.samples").joinpath("texts").iterdir() if path.name.endswith(".md"))
    samples = [sample for path in sorted(paths, key=lambda path: path.name) for sample in _read(path)]
    if not samples:
        raise FileNotFoundError("the package news_service has no sample articles")
    return samples


def seed(database: Database, now: datetime, *, force: bool = False) -> int:
    """Add the sample articles and return how many were added; 0 if articles exist already.

    ``force`` adds them beside other articles; a sample that exists stays as it is.
    """
    samples = read_samples()
    with database.write() as session:
        if not force and session.scalar(select(func.count()).select_from(InfoNews)):
            return 0
        category_ids = _categories(session)
        added = []
        for article_id, sample in enumerate(samples, start=FIRST_ID):
            if session.get(InfoNews, article_id) is None:
                session.add(_article(article_id, sample, category_ids[sample.category], now))
                added.append(article_id)
        index_articles(session, added)
        move_sequences(session, InfoCategory.__table__, InfoNews.__table__)
    return len(added)


def _categories(session: Session) -> dict[str, int]:
    existing = {row.name: row.id for row in session.scalars(select(InfoCategory))}
    if not existing:
        # Without times, so that a dump's categories count as newer than these.
        session.add_all(InfoCategory(id=number, name=name, slug=SLUGS[number]) for number, name in CATEGORIES.items())
        session.flush()
        return {name: number for number, name in CATEGORIES.items()}
    # A site with other categories shows the samples under 最新, the pseudo category.
    return {name: existing.get(name, min(existing.values())) for name in CATEGORIES.values()}


def _article(article_id: int, sample: Sample, category_id: int, now: datetime) -> InfoNews:
    published_at = (now - timedelta(hours=sample.hours_old)).replace(microsecond=0)
    return InfoNews(
        id=article_id,
        title=sample.title,
        source=sample.source,
        digest=sample.digest,
        content=render_markdown(sample.markdown),
        clicks=sample.clicks,
        category_id=category_id,
        status=APPROVED,
        create_time=published_at,
        update_time=published_at,
        published_at=published_at,
        hot_score=hot_score(views=sample.clicks, likes=0, commenters=0, published_at=published_at),
    )


def _read(path: Traversable) -> Iterator[Sample]:
    # A file holds articles one after the other, each with a head of "name: value" lines between two lines "---".
    parts = path.read_text(encoding="utf-8").split("---\n")[1:]
    for head, markdown in zip(parts[::2], parts[1::2], strict=True):
        fields = dict(line.split(": ", 1) for line in head.strip().splitlines())
        yield Sample(
            title=fields["title"],
            category=fields["category"],
            source=fields["source"],
            hours_old=int(fields["hours_old"]),
            clicks=int(fields["clicks"]),
            digest=fields["digest"],
            markdown=markdown.strip(),
        )
