"""The table of the search."""

from sqlalchemy import BigInteger, Index, Integer, Text
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from news_service.tables import OPTIONS, Base

# MariaDB's other collations take different letters for equal.
_EXACT_TEXT = Text().with_variant(MEDIUMTEXT(collation="utf8mb4_bin"), "mysql", "mariadb")
_TERMS = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb").with_variant(TSVECTOR(), "postgresql")


class NewsSearch(Base):
    """What the search knows of an approved article.

    ``position`` orders the hits: the second of its publication, then its id (`index.position_of`). ``plain`` is its
    `terms.index_text`, and ``terms`` are its `terms.index_terms` in the database's own form, under an index that the
    migration makes. SQLite has its index in a table of its own, ``news_search_terms``. No foreign key: the hits
    are looked up among the public articles, so that a row that is left behind shows nothing.
    """

    __tablename__ = "news_search"
    __table_args__ = (Index("uq_news_search_news_id", "news_id", unique=True), OPTIONS)

    # On SQLite only an INTEGER is the key of the table itself.
    position: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False
    )
    news_id: Mapped[int]
    plain: Mapped[str] = mapped_column(_EXACT_TEXT)
    terms: Mapped[str | None] = mapped_column(_TERMS)
