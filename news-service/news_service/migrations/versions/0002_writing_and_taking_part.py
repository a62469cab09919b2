"""What writers, readers and reviewers need: drafts, revisions, pictures, threads of comments, notices and decisions."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any  # Options of tables, columns of several types.

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import MEDIUMTEXT

from chassis.database import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LONG_TEXT = sa.Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")
OPTIONS: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_engine": "InnoDB"}
_BATCH = 1000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# As the seed's categories are named; a site's own ones get theirs from an administrator.
SLUGS = {
    "最新": "latest",
    "股市": "stocks",
    "债市": "bonds",
    "商品": "commodities",
    "外汇": "forex",
    "公司": "companies",
}
INDEXES = {
    "info_news": {
        "ix_info_news_own": ["user_id", "id"],
        "ix_info_news_review": ["status", "submitted_at", "id"],
    },
    "info_comment": {
        "ix_info_comment_thread": ["news_id", "root_id", "is_listed", "id"],
        "ix_info_comment_liked": ["news_id", "root_id", "is_listed", "like_count", "id"],
        "ix_info_comment_own": ["user_id", "id"],
        "ix_info_comment_review": ["status", "id"],
    },
    "info_user_collection": {"ix_info_user_collection_newest": ["user_id", "create_time", "news_id"]},
    "news_notice": {
        "ix_news_notice_newest": ["user_id", "id"],
        "ix_news_notice_unread": ["user_id", "read_at", "id"],
    },
    "news_decision": {
        "ix_news_decision_news": ["news_id", "id"],
        "ix_news_decision_comment": ["comment_id", "id"],
        "ix_news_decision_user": ["user_id", "id"],
        "ix_news_decision_actor": ["actor_id", "id"],
        "ix_news_decision_action": ["action", "id"],
    },
    "news_image": {"ix_news_image_own": ["user_id", "uploaded_at"]},
}
TABLES = ("news_image", "news_decision", "news_notice", "news_revision")


def _columns() -> dict[str, list[sa.Column[Any]]]:
    """Return the new columns of the classic tables; a table takes each only once."""
    return {
        "info_category": [
            sa.Column("slug", sa.String(64)),
            sa.Column("position", sa.Integer(), nullable=False, server_default="0"),
        ],
        "info_news": [
            sa.Column("markdown", LONG_TEXT),
            sa.Column("ai_generated", sa.Boolean(), nullable=False, server_default="0"),
            sa.Column("submitted_at", UtcDateTime()),
        ],
        "info_comment": [
            sa.Column("root_id", sa.Integer(), nullable=False, server_default="0"),
            sa.Column("status", sa.Integer(), nullable=False, server_default="0"),
            sa.Column("reply_count", sa.Integer(), nullable=False, server_default="0"),
            sa.Column("is_listed", sa.Boolean(), nullable=False, server_default="1"),
            sa.Column("reason", sa.String(256)),
        ],
        "info_user_fans": [sa.Column("create_time", UtcDateTime())],
    }


def upgrade() -> None:
    """Apply the change."""
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    op.create_index("uq_info_category_slug", "info_category", ["slug"], unique=True)
    _create_news_tables()
    for table, indexes in INDEXES.items():
        for name, names in indexes.items():
            op.create_index(name, table, names)
    _name_categories()
    _queue_what_waits()
    _find_roots()
    _fill_times()


def _create_news_tables() -> None:
    op.create_table(
        "news_revision",
        sa.Column("news_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("saved_at", UtcDateTime(), nullable=False),
        sa.Column("editor_id", sa.Integer()),
        sa.Column("title", sa.String(256), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(512), nullable=False),
        sa.Column("content", LONG_TEXT, nullable=False),
        sa.Column("markdown", LONG_TEXT),
        sa.Column("index_image_url", sa.String(256)),
        sa.Column("category_id", sa.Integer()),
        sa.PrimaryKeyConstraint("news_id", "version", name="pk_news_revision"),
        sa.ForeignKeyConstraint(["news_id"], ["info_news.id"], name="fk_news_revision_news_id"),
        **OPTIONS,
    )
    op.create_table(
        "news_notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        *_subjects("news_notice"),
        sa.Column("actor_id", sa.Integer()),
        sa.Column("reason", sa.String(256)),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("read_at", UtcDateTime()),
        **OPTIONS,
    )
    op.create_table(
        "news_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.Column("actor_id", sa.Integer()),
        sa.Column("action", sa.String(32), nullable=False),
        *_subjects("news_decision"),
        sa.Column("user_id", sa.Integer()),
        sa.Column("reason", sa.String(256)),
        sa.Column("status_before", sa.Integer()),
        sa.Column("status_after", sa.Integer()),
        **OPTIONS,
    )
    op.create_table(
        "news_image",
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("uploaded_at", UtcDateTime(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_news_image"),
        **OPTIONS,
    )


def _subjects(table: str) -> Sequence[sa.schema.SchemaItem]:
    """Return the columns of the article and the comment that a row is about, and its keys."""
    return (
        sa.Column("news_id", sa.Integer()),
        sa.Column("comment_id", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(["news_id"], ["info_news.id"], name=f"fk_{table}_news_id"),
        sa.ForeignKeyConstraint(["comment_id"], ["info_comment.id"], name=f"fk_{table}_comment_id"),
    )


def _name_categories() -> None:
    category = sa.table("info_category", sa.column("id"), sa.column("name"), sa.column("slug"))
    for name, slug in SLUGS.items():
        first = op.get_bind().scalar(sa.select(sa.func.min(category.c.id)).where(category.c.name == name))
        op.execute(sa.update(category).where(category.c.id == first).values(slug=slug))


def _queue_what_waits() -> None:
    news = sa.table("info_news", *(sa.column(name) for name in ("status", "published_at", "submitted_at")))
    op.execute(sa.update(news).where(news.c.status == 1).values(submitted_at=news.c.published_at))


def _find_roots() -> None:
    """Write into each answer which root it stands below, and into each root how many answers it has."""
    comment = sa.table(
        "info_comment", *(sa.column(name, sa.Integer()) for name in ("id", "parent_id", "root_id", "reply_count"))
    )
    answers = sa.select(comment.c.id, comment.c.parent_id).where(comment.c.parent_id.is_not(None))
    parents: dict[int, int] = {row.id: row.parent_id for row in op.get_bind().execute(answers)}
    roots: dict[int, int] = {}
    counts: dict[int, int] = {}
    for comment_id in parents:
        seen, root = {comment_id}, parents[comment_id]
        while root in parents and root not in seen:
            seen.add(root)
            root = parents[root]
        roots[comment_id] = root
        counts[root] = counts.get(root, 0) + 1
    for column, values in ((comment.c.root_id, roots), (comment.c.reply_count, counts)):
        change = (
            sa.update(comment).where(comment.c.id == sa.bindparam("of_id")).values({column: sa.bindparam("to_value")})
        )
        rows = [{"of_id": of_id, "to_value": value} for of_id, value in sorted(values.items())]
        for start in range(0, len(rows), _BATCH):
            op.get_bind().execute(change, rows[start : start + _BATCH])


def _fill_times() -> None:
    """Write a time where there is none, because favourites and follows are listed in the order of theirs."""
    for name in ("info_user_collection", "info_user_fans"):
        table = sa.table(name, sa.column("create_time", UtcDateTime()))
        op.execute(sa.update(table).where(table.c.create_time.is_(None)).values(create_time=EPOCH))


def downgrade() -> None:
    """Undo the change."""
    for table in TABLES:
        op.drop_table(table)
    for table, indexes in INDEXES.items():
        for name in () if table in TABLES else indexes:
            op.drop_index(name, table_name=table)
    op.drop_index("uq_info_category_slug", table_name="info_category")
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name)
