"""The index of the search; the command ``migrate`` then adds the articles that exist."""

from typing import Any  # Options of tables.

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_engine": "InnoDB"}
EXACT_TEXT = sa.Text().with_variant(MEDIUMTEXT(collation="utf8mb4_bin"), "mysql", "mariadb")
TERMS = sa.Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb").with_variant(TSVECTOR(), "postgresql")
# Of terms we ask only which articles have them all; a column that holds none and no places makes a small index.
INDEXES = {
    "sqlite": "CREATE VIRTUAL TABLE news_search_terms USING fts5(terms, content='', detail=none, columnsize=0)",
    "postgresql": "CREATE INDEX ix_news_search_terms ON news_search USING gin (terms)",
    "mysql": "CREATE FULLTEXT INDEX ix_news_search_terms ON news_search (terms)",
}


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "news_search",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=False
        ),
        sa.Column("news_id", sa.Integer(), nullable=False),
        sa.Column("plain", EXACT_TEXT, nullable=False),
        sa.Column("terms", TERMS),
        sa.PrimaryKeyConstraint("position", name="pk_news_search"),
        **OPTIONS,
    )
    op.create_index("uq_news_search_news_id", "news_search", ["news_id"], unique=True)
    op.execute(INDEXES[op.get_bind().dialect.name])


def downgrade() -> None:
    """Undo the change."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE news_search_terms")
    op.drop_table("news_search")
