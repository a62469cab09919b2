"""The hot list's ranking: engagement against age, stored with each article as one integer.

Engagement changes an article's clicks and its score, and never its ``update_time``.
"""

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any  # Row tuples of an aggregate.

from sqlalchemy import Select, distinct, func, select, update
from sqlalchemy.orm import Session

from news_service.articles.tables import InfoNews
from news_service.comments.tables import VISIBLE, InfoComment
from news_service.readers.tables import InfoUserCollection

_BATCH = 500
_WINDOW_SECONDS = 36 * 3600
_SCALE = 1_000_000


def hot_score(*, views: int, likes: int, commenters: int, published_at: datetime) -> int:
    """Score an article: ten times the engagement is worth 36 hours.

    The form is that of Lobsters (log of the engagement plus the age in windows), which does not have to be computed
    again as time passes; the weights are ours. ``commenters`` counts different users without the author. The score is
    an integer, so that cursors compare exactly on every database.
    """
    engagement = 1 + views / 20 + 3 * likes + 5 * commenters
    return round((math.log10(engagement) + published_at.timestamp() / _WINDOW_SECONDS) * _SCALE)


def add_views(session: Session, views: dict[int, int]) -> int:
    """Add views to articles (id → views), score these again, and return how many views found their article."""
    ids = sorted(views)
    batches = (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
    return sum(_add_batch(session, {article_id: views[article_id] for article_id in batch}) for batch in batches)


def recount_engagement(session: Session, ids: Iterable[int]) -> None:
    """Count the visible comments of articles and score these again, after an import has changed them."""
    article_ids = sorted(ids)
    count = (
        select(func.count()).where(InfoComment.news_id == InfoNews.id, InfoComment.status == VISIBLE).scalar_subquery()
    )
    for start in range(0, len(article_ids), _BATCH):
        batch = article_ids[start : start + _BATCH]
        session.execute(
            update(InfoNews)
            .where(InfoNews.id.in_(batch))
            .values(comment_count=count)
            .execution_options(synchronize_session=False)
        )
    add_views(session, dict.fromkeys(article_ids, 0))


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
# Comments of the author do not count, nor those that nobody sees. (A NULL author equals no commenter.)
_COMMENTERS = (
    select(InfoComment.news_id, func.count(distinct(InfoComment.user_id)))
    .join(InfoNews, InfoNews.id == InfoComment.news_id)
    .where(InfoNews.user_id.is_distinct_from(InfoComment.user_id), InfoComment.status == VISIBLE)
    .group_by(InfoComment.news_id)
)


def _per_article(session: Session, query: Select[*tuple[Any, ...]]) -> dict[int, int]:
    return {row[0]: row[1] for row in session.execute(query)}
