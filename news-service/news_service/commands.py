"""The commands of an operator: ``flask --app news_service.app …``."""

import sys
from collections import Counter
from datetime import datetime
from functools import partial

import click
from flask import Flask
from sqlalchemy import func, select

from chassis.database import Database, utc_now
from chassis.dumps.command import install_import
from chassis.dumps.exporting import install_export
from chassis.dumps.writing import ClassicTable
from chassis.service_client import ServiceClient
from news_service.articles.tables import InfoNews
from news_service.imports.authors import ask_user_service
from news_service.imports.exporting import classic_tables
from news_service.imports.importing import import_files
from news_service.samples.removal import REMOVE_ALL_HELP, remove_samples
from news_service.samples.samples import seed
from news_service.search.index import NextIds, all_ids, index_everything, missing_ids
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
        _index(url, missing_ids)

    @app.cli.command("reindex")
    def reindex() -> None:
        """Write the index of the search anew, batch by batch; the site goes on."""
        _index(url, all_ids)
        click.echo("The index of the search is complete.")

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


def _index(url: str, next_ids: NextIds) -> None:
    """Index articles with a progress bar on stderr."""
    database = Database(url)
    done = 0
    with click.progressbar(length=_highest_id(database), label="Indexing", file=sys.stderr) as bar:
        for last_id in index_everything(database, next_ids):
            bar.update(last_id - done)
            done = last_id
        bar.update(bar.length - done if bar.length else 0)
    database.close()


def _highest_id(database: Database) -> int:
    return int(database.read_rows(select(func.max(InfoNews.id)))[0][0] or 0)
