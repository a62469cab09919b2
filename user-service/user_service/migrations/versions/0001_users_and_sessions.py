"""Make the tables of users and sessions."""

import sqlalchemy as sa
from alembic import op

from chassis.database import UtcDateTime

revision = "0001"
down_revision = None

_GENDER = sa.Enum("MAN", "WOMAN", name="gender")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "info_user",
        sa.Column("create_time", UtcDateTime),
        sa.Column("update_time", UtcDateTime),
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("nick_name", sa.String(32), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("mobile", sa.String(16), nullable=False),
        sa.Column("avatar_url", sa.String(256)),
        sa.Column("last_login", UtcDateTime),
        sa.Column("is_admin", sa.Boolean),
        sa.Column("signature", sa.String(512)),
        sa.Column("gender", _GENDER),
        sa.PrimaryKeyConstraint("id", name="pk_info_user"),
        sa.UniqueConstraint("nick_name", name="uq_info_user_nick_name"),
        sa.UniqueConstraint("mobile", name="uq_info_user_mobile"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_table(
        "user_session",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("refresh_hash", sa.String(64), nullable=False),
        sa.Column("refresh_generation", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("authenticated_at", UtcDateTime, nullable=False),
        sa.Column("last_used_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("user_agent", sa.String(256), nullable=False),
        sa.Column("ip_prefix", sa.String(43), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user_session"),
        sa.ForeignKeyConstraint(["user_id"], ["info_user.id"], name="fk_user_session_user_id", ondelete="CASCADE"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index("ix_user_session_user_id", "user_session", ["user_id"])


def downgrade() -> None:
    """Drop both tables, and the type that PostgreSQL made for one column."""
    op.drop_table("user_session")
    op.drop_table("info_user")
    _GENDER.drop(op.get_bind(), checkfirst=True)
