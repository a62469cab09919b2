"""What attention changes on an article: the clicks and the place in the hot list, and never ``update_time``."""

from collections.abc import Iterable
from typing import Any  # Row tuples of an aggregate.

from sqlalchemy import Select, distinct, func, select, update
from sqlalchemy.orm import Session

from news_service.hotness import hot_score
from news_service.reader_tables import InfoComment, InfoUserCollection
from news_service.tables import InfoNews

_BATCH = 500


def add_views(session: Session, views: dict[int, int]) -> int:
    """Add views to articles (id → views), score these anew, and return how many views found their article."""
    ids = sorted(views)
    batches = (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
    return sum(_add_batch(session, {article_id: views[article_id] for article_id in batch}) for batch in batches)


def recount(session: Session, ids: Iterable[int]) -> None:
    """Count the comments of articles and score these anew, after something but a view has changed them."""
    wanted = sorted(ids)
    count = select(func.count()).where(InfoComment.news_id == InfoNews.id).scalar_subquery()
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        session.execute(
            update(InfoNews)
            .where(InfoNews.id.in_(batch))
            .values(comment_count=count)
            .execution_options(synchronize_session=False)
        )
    add_views(session, dict.fromkeys(wanted, 0))


def _add_batch(session: Session, views: dict[int, int]) -> int:
    # Locked in the order of ids, so that two flushes cannot block each other for ever.
    articles = session.execute(
        select(InfoNews.id, InfoNews.clicks, InfoNews.published_at)
        .where(InfoNews.id.in_(views))
        .order_by(InfoNews.id)
        .with_for_update()
    ).all()
    likes = _per_article(session, _LIKES.where(InfoUserCollection.news_id.in_(views)))
    commenters = _per_article(session, _COMMENTERS.where(InfoComment.news_id.in_(views)))
    changes = [
        {
            "id": article.id,
            "clicks": article.clicks + views[article.id],
            "hot_score": hot_score(
                views=article.clicks + views[article.id],
                likes=likes.get(article.id, 0),
                commenters=commenters.get(article.id, 0),
                published_at=article.published_at,
            ),
        }
        for article in articles
    ]
    if changes:
        session.execute(update(InfoNews), changes)
    return sum(views[article.id] for article in articles)


_LIKES = select(InfoUserCollection.news_id, func.count()).group_by(InfoUserCollection.news_id)
# An author's comments on the own article are no attention. (A NULL author equals nobody.)
_COMMENTERS = (
    select(InfoComment.news_id, func.count(distinct(InfoComment.user_id)))
    .join(InfoNews, InfoNews.id == InfoComment.news_id)
    .where(InfoNews.user_id.is_distinct_from(InfoComment.user_id))
    .group_by(InfoComment.news_id)
)


def _per_article(session: Session, query: Select[*tuple[Any, ...]]) -> dict[int, int]:
    return {row[0]: row[1] for row in session.execute(query)}
