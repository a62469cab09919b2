"""The migrations and the models say the same, on every database."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from chassis.migrations import migrate
from news_service.models import InfoComment


def test_the_migrated_schema_is_the_one_of_the_models(empty_database_url: str) -> None:
    migrate(empty_database_url, scripts="news_service:migrations")
    engine = create_engine(empty_database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, InfoComment.metadata) == []
    engine.dispose()


def test_the_migrations_can_be_undone(empty_database_url: str) -> None:
    migrate(empty_database_url, scripts="news_service:migrations")
    migrate(empty_database_url, scripts="news_service:migrations", revision="base")
    engine = create_engine(empty_database_url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()
