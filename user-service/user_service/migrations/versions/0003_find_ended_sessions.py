"""Find the sessions that ended lately, without reading all."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_user_session_revoked_at", "user_session", ["revoked_at"])


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("ix_user_session_revoked_at", "user_session")
