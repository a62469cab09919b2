"""Brings databases to a revision. Only commands import it: no serving process shall hold Alembic."""

from alembic import command, context
from alembic.config import Config
from sqlalchemy import MetaData

from chassis.database import migration_engine


def migrate(url: str, *, scripts: str, revision: str = "head") -> None:
    """Bring a database to a revision (``head``, a revision id, or ``base`` to undo all).

    ``scripts`` names the package folder of a service's migrations, as ``user_service:migrations``.
    """
    config = Config(attributes={"url": url})
    config.set_main_option("script_location", scripts)
    config.set_main_option("path_separator", "os")
    (command.downgrade if revision == "base" else command.upgrade)(config, revision)


def run_migrations(metadata: MetaData) -> None:
    """Run Alembic's migrations; the whole body of a service's ``migrations/env.py``."""
    engine = migration_engine(context.config.attributes["url"])
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()
