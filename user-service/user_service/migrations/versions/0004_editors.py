"""Let accounts have the role editor."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column, which the old code need not know."""
    with op.batch_alter_table("info_user") as table:
        table.add_column(sa.Column("is_editor", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Forget who is an editor."""
    with op.batch_alter_table("info_user") as table:
        table.drop_column("is_editor")
