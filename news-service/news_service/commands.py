"""The commands of an operator: ``flask --app news_service.app …``."""

import sys
from functools import partial

import click
from flask import Flask
from sqlalchemy import func, select

from chassis.database import Database, utc_now
from chassis.dumps.command import install_import
from chassis.service_client import ServiceClient
from news_service.articles.tables import InfoNews
from news_service.imports.importing import import_files
from news_service.samples.samples import seed
from news_service.search.index import NextIds, all_ids, index_everything, missing_ids
from news_service.settings import Settings

MIGRATIONS = "news_service:migrations"


def install_commands(app: Flask, settings: Settings, user_service: ServiceClient) -> None:
    """Add the commands to the app."""
    url = settings.database_url.get_secret_value()
    _install_setup(app, url)
    install_import(app, url, partial(import_files, user_service=user_service))


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
