"""The classic tables of articles and of what readers do, and the flushes of counted views."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import MEDIUMTEXT

from chassis.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LONG_TEXT = sa.Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")
CHARSET = "utf8mb4"
ENGINE = "InnoDB"


def upgrade() -> None:
    """Apply the change."""
    _create_articles()
    _create_comments()
    _create_ties()
    op.create_table(
        "news_view_flush",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("flushed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_news_view_flush"),
        mysql_charset=CHARSET,
        mysql_engine=ENGINE,
    )
    op.create_index("ix_news_view_flush_flushed_at", "news_view_flush", ["flushed_at"])


def _create_articles() -> None:
    op.create_table(
        "info_category",
        sa.Column("create_time", UtcDateTime()),
        sa.Column("update_time", UtcDateTime()),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_info_category"),
        mysql_charset=CHARSET,
        mysql_engine=ENGINE,
    )
    op.create_table(
        "info_news",
        sa.Column("create_time", UtcDateTime()),
        sa.Column("update_time", UtcDateTime()),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(256), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(512), nullable=False),
        sa.Column("content", LONG_TEXT, nullable=False),
        sa.Column("clicks", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("index_image_url", sa.String(256)),
        sa.Column("category_id", sa.Integer()),
        sa.Column("user_id", sa.Integer()),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(256)),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("hot_score", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("comment_count", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.PrimaryKeyConstraint("id", name="pk_info_news"),
        sa.ForeignKeyConstraint(["category_id"], ["info_category.id"], name="fk_info_news_category_id"),
        mysql_charset=CHARSET,
        mysql_engine=ENGINE,
    )
    for order, key in (("newest", "published_at"), ("hot", "hot_score")):
        op.create_index(f"ix_info_news_{order}", "info_news", ["status", key, "id"])
        for of, column in (("category", "category_id"), ("author", "user_id")):
            op.create_index(f"ix_info_news_{order}_of_{of}", "info_news", ["status", column, key, "id"])


def _create_comments() -> None:
    op.create_table(
        "info_comment",
        sa.Column("create_time", UtcDateTime()),
        sa.Column("update_time", UtcDateTime()),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("news_id", sa.Integer(), nullable=False),
        sa.Column("content", LONG_TEXT, nullable=False),
        sa.Column("parent_id", sa.Integer()),
        sa.Column("like_count", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_info_comment"),
        sa.ForeignKeyConstraint(["news_id"], ["info_news.id"], name="fk_info_comment_news_id"),
        sa.ForeignKeyConstraint(["parent_id"], ["info_comment.id"], name="fk_info_comment_parent_id"),
        mysql_charset=CHARSET,
        mysql_engine=ENGINE,
    )
    op.create_index("ix_info_comment_news", "info_comment", ["news_id", "id"])
    op.create_index("ix_info_comment_parent", "info_comment", ["parent_id"])


def _create_ties() -> None:
    op.create_table(
        "info_comment_like",
        sa.Column("create_time", UtcDateTime()),
        sa.Column("update_time", UtcDateTime()),
        sa.Column("comment_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("comment_id", "user_id", name="pk_info_comment_like"),
        sa.ForeignKeyConstraint(["comment_id"], ["info_comment.id"], name="fk_info_comment_like_comment_id"),
        mysql_charset=CHARSET,
        mysql_engine=ENGINE,
    )
    op.create_table(
        "info_user_collection",
        sa.Column("user_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("news_id", sa.Integer(), nullable=False),
        sa.Column("create_time", UtcDateTime()),
        sa.PrimaryKeyConstraint("user_id", "news_id", name="pk_info_user_collection"),
        sa.ForeignKeyConstraint(["news_id"], ["info_news.id"], name="fk_info_user_collection_news_id"),
        mysql_charset=CHARSET,
        mysql_engine=ENGINE,
    )
    op.create_index("ix_info_user_collection_news", "info_user_collection", ["news_id"])
    op.create_table(
        "info_user_fans",
        sa.Column("follower_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("followed_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("follower_id", "followed_id", name="pk_info_user_fans"),
        mysql_charset=CHARSET,
        mysql_engine=ENGINE,
    )
    op.create_index("ix_info_user_fans_followed", "info_user_fans", ["followed_id"])


def downgrade() -> None:
    """Undo the change."""
    for table in (
        "news_view_flush",
        "info_user_fans",
        "info_user_collection",
        "info_comment_like",
        "info_comment",
        "info_news",
        "info_category",
    ):
        op.drop_table(table)
