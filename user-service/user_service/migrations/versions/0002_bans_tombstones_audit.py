"""Let accounts be banned and deleted, and keep an audit log."""

import sqlalchemy as sa
from alembic import op

from chassis.database import UtcDateTime

revision = "0002"
down_revision = "0001"

_NEW_COLUMNS = ("banned_until", "ban_reason", "must_reset_password", "deleted_at")


def upgrade() -> None:
    """Add the columns, none of which the old code needs to know, and the table."""
    with op.batch_alter_table("info_user") as table:
        table.add_column(sa.Column("banned_until", UtcDateTime))
        table.add_column(sa.Column("ban_reason", sa.String(256)))
        table.add_column(sa.Column("must_reset_password", sa.Boolean, nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("deleted_at", UtcDateTime))
    op.create_table(
        "user_audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer),
        sa.Column("actor_id", sa.Integer),
        sa.Column("mobile_masked", sa.String(16), nullable=False),
        sa.Column("ip_prefix", sa.String(43), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("detail", sa.String(256), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user_audit"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index("ix_user_audit_at", "user_audit", ["at"])
    op.create_index("ix_user_audit_user_id", "user_audit", ["user_id"])


def downgrade() -> None:
    """Forget bans, tombstones and the audit log."""
    op.drop_table("user_audit")
    with op.batch_alter_table("info_user") as table:
        for name in _NEW_COLUMNS:
            table.drop_column(name)
