"""The commands of an operator: ``flask --app news_service.app …``."""

from collections import Counter
from datetime import datetime
from functools import partial

import click
from flask import Flask

from chassis.database import Database, utc_now
from chassis.dumps.command import install_import
from chassis.dumps.exporting import install_export
from chassis.dumps.writing import ClassicTable
from chassis.service_client import ServiceClient
from news_service.imports.authors import ask_user_service
from news_service.imports.exporting import classic_tables
from news_service.imports.importing import import_files
from news_service.samples.removal import REMOVE_ALL_HELP, remove_samples
from news_service.samples.samples import seed
from news_service.settings import Settings

MIGRATIONS = "news_service:migrations"
EXPORT_WARNING = "The output holds what people wrote, and who follows whom: keep it as you keep the database."


def install_commands(app: Flask, settings: Settings, user_service: ServiceClient) -> None:
    """Add the commands to the app."""
    url = settings.database_url.get_secret_value()
    _install_setup(app, url)
    install_export(app, url, _classic_tables, warning=EXPORT_WARNING)
    install_import(app, url, partial(import_files, find_same=partial(ask_user_service, user_service)))


def _classic_tables(
    database: Database, now: datetime, notes: Counter[str], _switches: frozenset[str]
) -> list[ClassicTable]:
    return classic_tables(database, now, notes)


def _install_setup(app: Flask, url: str) -> None:
    @app.cli.command("migrate")
    def migrate_database() -> None:
        """Bring the database to the newest revision."""
        from chassis.migrations import migrate  # Alembic, which no serving process needs.

        migrate(url, scripts=MIGRATIONS)
        click.echo("The news database is at the newest revision.")

    @app.cli.command("remove-samples")
    @click.option("--all", "is_all", is_flag=True, help=REMOVE_ALL_HELP)
    def remove_sample_articles(*, is_all: bool) -> None:
        """Remove the sample articles that nobody has edited, commented on or kept."""
        database = Database(url)
        click.echo(remove_samples(database, also_used=is_all))
        database.close()

    @app.cli.command("seed")
    @click.option("--force", is_flag=True, help="Add the missing sample articles although there are articles.")
    def seed_articles(*, force: bool) -> None:
        """Add the sample articles to an empty site."""
        database = Database(url)
        added = seed(database, utc_now(), force=force)
        database.close()
        click.echo(f"{added} sample articles added." if added else "There are articles already; nothing added.")
