"""The commands of an operator: ``flask --app news_service.app …``."""

from functools import partial

import click
from flask import Flask

from chassis.database import Database, utc_now
from chassis.dumps.command import install_import
from chassis.service_client import ServiceClient
from news_service.imports.authors import ask_user_service
from news_service.imports.importing import import_files
from news_service.samples.samples import seed
from news_service.settings import Settings

MIGRATIONS = "news_service:migrations"


def install_commands(app: Flask, settings: Settings, user_service: ServiceClient) -> None:
    """Add the commands to the app."""
    url = settings.database_url.get_secret_value()
    _install_setup(app, url)
    install_import(app, url, partial(import_files, find_same=partial(ask_user_service, user_service)))


def _install_setup(app: Flask, url: str) -> None:
    @app.cli.command("migrate")
    def migrate_database() -> None:
        """Bring the database to the newest revision."""
        from chassis.migrations import migrate  # Alembic, which no serving process needs.

        migrate(url, scripts=MIGRATIONS)
        click.echo("The news database is at the newest revision.")

    @app.cli.command("seed")
    @click.option("--force", is_flag=True, help="Add the missing sample articles although there are articles.")
    def seed_articles(*, force: bool) -> None:
        """Add the sample articles to an empty site."""
        database = Database(url)
        added = seed(database, utc_now(), force=force)
        database.close()
        click.echo(f"{added} sample articles added." if added else "There are articles already; nothing added.")
