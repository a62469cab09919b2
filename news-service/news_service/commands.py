"""The commands of an operator: ``flask --app news_service.app …``."""

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from flask import Flask

from chassis.database import Database, migrate, utc_now
from chassis.errors import DependencyUnavailable
from news_service.dumps.importing import DumpFile, examine, import_files
from news_service.dumps.mysql_dump import DumpBroken
from news_service.seeding import seed
from news_service.settings import Settings

MIGRATIONS = "news_service:migrations"
# On stderr, so that the report can be piped.
_PROGRESS = functools.partial(click.progressbar, file=sys.stderr, show_pos=False)


def _zone(_context: click.Context, _option: click.Parameter, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.BadParameter(f"{name!r} is not a time zone such as Asia/Shanghai") from error


def install_commands(app: Flask, settings: Settings) -> None:
    """Add the commands to the app."""
    url = settings.database_url.get_secret_value()
    _install_setup(app, url)
    _install_import(app, url)


def _install_setup(app: Flask, url: str) -> None:
    @app.cli.command("migrate")
    def migrate_database() -> None:
        """Bring the database to the newest revision."""
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


def _install_import(app: Flask, url: str) -> None:
    @app.cli.command("import-sql")
    @click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--dry-run", is_flag=True, help="Report what an import would do, and write nothing.")
    @click.option(
        "--time-zone", callback=_zone, default="Asia/Shanghai", show_default=True, help="Of the dumps' times."
    )
    def import_sql(files: tuple[Path, ...], *, dry_run: bool, time_zone: ZoneInfo) -> None:
        """Import dumps of the course's MySQL database; a second run changes nothing."""
        examined = _examine(files)
        database = Database(url)
        try:
            imported = import_files(database, examined, zone=time_zone, is_dry_run=dry_run, progress=_show_progress)
            for file, report in imported:
                title = f"{file.path.name} (dry run, nothing written)" if dry_run else file.path.name
                click.echo("\n".join([title, *report.lines()]))
        except DependencyUnavailable as error:
            raise click.ClickException("The database is away, or not migrated yet (command: migrate).") from error
        finally:
            database.close()


@contextmanager
def _show_progress(file: DumpFile) -> Iterator[Callable[[int], None]]:
    with _PROGRESS(length=file.bytes_to_import, label=f"Importing {file.path.name}") as bar:
        yield bar.update


def _examine(files: tuple[Path, ...]) -> list[DumpFile]:
    examined = []
    for path in dict.fromkeys(files):
        try:
            with _PROGRESS(length=path.stat().st_size, label=f"Reading {path.name}") as bar:
                examined.append(examine(path, bar.update))
        except DumpBroken as broken:
            raise click.ClickException(f"{path.name}: {broken}. Nothing was written.") from broken
    return examined
