"""What a signed-in reader has to do with an article."""

from dataclasses import dataclass

from chassis.database import Database
from news_service.articles import Article
from news_service.reader_tables import InfoUserCollection, InfoUserFans


@dataclass(frozen=True)
class ReaderTies:
    """Whether the reader keeps the article as a favourite, and follows its author."""

    is_favourite: bool = False
    is_following_author: bool = False


class ReadersTies:
    """Looks up the ties of readers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, user_id: int | None, article: Article) -> ReaderTies:
        """Return the ties of a reader; nobody (None) has none."""
        if user_id is None:
            return ReaderTies()
        with self._database.read() as session:
            favourite = session.get(InfoUserCollection, (user_id, article.id))
            follows = session.get(InfoUserFans, (user_id, article.author_id)) if article.author_id else None
        return ReaderTies(favourite is not None, follows is not None)
