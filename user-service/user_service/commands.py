"""Commands of operators: ``flask --app user_service.app …``."""

import click
from flask import Flask

from chassis.database import migrate
from chassis.dumps.command import install_import
from user_service.accounts.import_sql import import_files
from user_service.settings import Settings

MIGRATIONS = "user_service:migrations"


def install(app: Flask, settings: Settings) -> None:
    """Add the commands to an app."""
    install_import(app, settings.database_url.get_secret_value(), import_files)

    @app.cli.command("migrate")
    @click.option("--revision", default="head", show_default=True, help="A revision id, or base to undo all.")
    def migrate_command(revision: str) -> None:
        """Bring the database to a revision."""
        migrate(settings.database_url.get_secret_value(), scripts=MIGRATIONS, revision=revision)
        click.echo(f"The user database is at {revision}.")
