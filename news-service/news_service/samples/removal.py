"""Removes the sample articles: all that nobody has used, or all with what readers have added to them."""

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from chassis.database import Database
from news_service.articles.tables import APPROVED, InfoNews, NewsRevision
from news_service.comments.tables import InfoComment, InfoCommentLike
from news_service.readers.tables import InfoUserCollection, NewsNotice
from news_service.review.tables import NewsDecision
from news_service.samples.samples import FIRST_ID, read_samples
from news_service.search.index import index_articles

REMOVE_ALL_HELP = "Remove the others, too, with the comments and favourites of readers."


def remove_samples(database: Database, *, also_used: bool) -> str:
    """Remove the samples that nobody has used, or all of them, and say what was removed."""
    with database.write() as session:
        there, unused = _samples(session), _unused_samples(session)
        _remove(session, there if also_used else unused)
    removed = len(there if also_used else unused)
    kept = len(there) - removed
    return f"{removed} sample articles removed." + (
        f" {kept} stay, because somebody has edited, commented on or kept them; --all removes them, too."
        if kept
        else ""
    )


def remove_samples_from_unused_site(session: Session) -> int:
    """Remove the samples of a site that holds nothing else and that nobody has used; return how many were removed."""
    unused = _unused_samples(session)
    articles = session.scalar(select(func.count()).select_from(select(InfoNews.id).limit(len(unused) + 1).subquery()))
    if not unused or articles != len(unused):
        return 0
    _remove(session, unused)
    return len(unused)


def _samples(session: Session) -> list[int]:
    titles = {number: sample.title for number, sample in enumerate(read_samples(), start=FIRST_ID)}
    rows = session.execute(select(InfoNews.id, InfoNews.title).where(InfoNews.id.in_(titles)))
    return [row.id for row in rows if row.title == titles[row.id]]


def _unused_samples(session: Session) -> list[int]:
    query = select(InfoNews.id).where(
        InfoNews.id.in_(_samples(session)),
        InfoNews.version == 1,
        InfoNews.status == APPROVED,
        ~exists().where(InfoComment.news_id == InfoNews.id),
        ~exists().where(InfoUserCollection.news_id == InfoNews.id),
    )
    return list(session.scalars(query.with_for_update()))


def _remove(session: Session, ids: list[int]) -> None:
    """Remove articles and all that points to them."""
    comments = list(session.scalars(select(InfoComment.id).where(InfoComment.news_id.in_(ids))))
    session.execute(delete(NewsNotice).where(NewsNotice.news_id.in_(ids) | NewsNotice.comment_id.in_(comments)))
    session.execute(delete(NewsDecision).where(NewsDecision.news_id.in_(ids) | NewsDecision.comment_id.in_(comments)))
    session.execute(delete(InfoCommentLike).where(InfoCommentLike.comment_id.in_(comments)))
    session.execute(update(InfoComment).where(InfoComment.id.in_(comments)).values(parent_id=None))
    session.execute(delete(InfoComment).where(InfoComment.id.in_(comments)))
    for table in (InfoUserCollection, NewsRevision):
        session.execute(delete(table).where(table.news_id.in_(ids)))
    session.execute(delete(InfoNews).where(InfoNews.id.in_(ids)))
    index_articles(session, ids)  # They leave the search.
