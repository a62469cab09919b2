from pathlib import Path

import pytest
import svcs
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import create_engine, inspect, text

from chassis.migrations import migrate
from user_service.app import MIGRATIONS, create_app
from user_service.models import Base


@pytest.fixture
def engine(empty_database_url):
    engine = create_engine(empty_database_url)
    yield engine
    engine.dispose()


def test_the_migrated_schema_is_that_of_the_models(empty_database_url, engine):
    migrate(empty_database_url, scripts=MIGRATIONS)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert differences == []


def test_going_back_to_base_leaves_nothing_and_forward_works_again(empty_database_url, engine):
    migrate(empty_database_url, scripts=MIGRATIONS)
    migrate(empty_database_url, scripts=MIGRATIONS, revision="base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    migrate(empty_database_url, scripts=MIGRATIONS)
    assert set(inspect(engine).get_table_names()) == {"alembic_version", "info_user", "user_audit", "user_session"}


def test_the_command_migrates_an_empty_database(settings, empty_database_url, engine):
    app = create_app(settings.model_copy(update={"database_url": SecretStr(empty_database_url)}))
    result = app.test_cli_runner().invoke(args=["migrate"])
    svcs.flask.close_registry(app)
    assert (result.exit_code, result.output) == (0, "The user database is at head.\n")
    assert "info_user" in inspect(engine).get_table_names()


def test_the_classic_columns_come_first_and_in_their_order(empty_database_url, engine):
    migrate(empty_database_url, scripts=MIGRATIONS)
    columns = [column["name"] for column in inspect(engine).get_columns("info_user")]
    assert columns[:11] == [
        *("create_time", "update_time", "id", "nick_name", "password_hash", "mobile"),
        *("avatar_url", "last_login", "is_admin", "signature", "gender"),
    ]


def test_the_scripts_ship_with_the_package():
    import user_service

    assert (Path(user_service.__file__).parent / "migrations" / "env.py").is_file()


def test_rows_of_the_old_schema_survive_the_new_one(empty_database_url, engine):
    migrate(empty_database_url, scripts=MIGRATIONS, revision="0001")
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO info_user (id, nick_name, password_hash, mobile) VALUES (7, 'n', 'h', '+86')")
        )
    migrate(empty_database_url, scripts=MIGRATIONS)
    with engine.connect() as connection:
        row = connection.execute(
            text("SELECT nick_name, must_reset_password, is_editor, deleted_at FROM info_user")
        ).one()
    flags = (bool(row.must_reset_password), bool(row.is_editor))
    assert (row.nick_name, flags, row.deleted_at) == ("n", (False, False), None)
