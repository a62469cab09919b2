"""The command ``import-sql`` of a service: reads all files to their end first, then writes, and prints reports."""

import functools
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from flask import Flask

from chassis.database import Database
from chassis.dumps.files import DumpFile, Progress, examine_file
from chassis.dumps.importing import ANSWER_SECONDS, Importer, ImportImpossible, ImportOptions
from chassis.dumps.report import ImportReport
from chassis.dumps.tokens import DumpBroken
from chassis.errors import DependencyUnavailable

# On stderr, so that the report can be piped.
_PROGRESS = functools.partial(click.progressbar, file=sys.stderr, show_pos=False)


def _zone(_context: click.Context, _option: click.Parameter, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.BadParameter(f"{name!r} is not a time zone such as Asia/Shanghai") from error


TIME_ZONE = click.option(
    "--time-zone", callback=_zone, default="Asia/Shanghai", show_default=True, help="Of the dumps' times."
)
DRY_RUN = click.option("--dry-run", is_flag=True, help="Report what an import would do, and write nothing.")
FILES = click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
)


def install_import(
    app: Flask, database_url: str, import_files: Importer, *, switches: Mapping[str, str] | None = None
) -> None:
    """Add the command to a service's app.

    ``import_files`` imports the files of its tables; ``switches`` are further ones of the service, ``with_roles`` for
    ``--with-roles``, with their help.
    """

    @app.cli.command("import-sql")
    @FILES
    @DRY_RUN
    @TIME_ZONE
    def import_sql(files: tuple[Path, ...], *, dry_run: bool, time_zone: ZoneInfo, **given: bool) -> None:
        """Import dumps of the course's MySQL database; a second run changes nothing."""
        examined = examine_files(files)
        database = Database(database_url, answer_seconds=ANSWER_SECONDS)
        chosen = frozenset(name for name, is_on in given.items() if is_on)
        options = ImportOptions(zone=time_zone, is_dry_run=dry_run, progress=show_progress, switches=chosen)
        try:
            with errors_for_operators():
                for file, report in import_files(database, examined, options):
                    print_report(file, report, is_dry_run=dry_run)
        finally:
            database.close()

    for name, text in (switches or {}).items():
        import_sql.params.append(click.Option([f"--{name.replace('_', '-')}"], is_flag=True, help=text))


@contextmanager
def errors_for_operators() -> Iterator[None]:
    """Say in a sentence why an import fails.

    Raises:
        ClickException: an import is impossible, or a database is away.
    """
    try:
        yield
    except ImportImpossible as error:
        raise click.ClickException(f"{error} Nothing was written.") from error
    except DependencyUnavailable as error:
        raise click.ClickException("The database is away, or not migrated yet (command: migrate).") from error


def print_report(file: DumpFile, report: ImportReport, *, is_dry_run: bool) -> None:
    """Print the report on a file."""
    title = f"{file.path.name} (dry run, nothing written)" if is_dry_run else file.path.name
    click.echo("\n".join([title, *report.lines()]))


@contextmanager
def show_progress(file: DumpFile, total_bytes: int) -> Iterator[Progress]:
    """Show a progress bar while a file is imported."""
    with _PROGRESS(length=total_bytes, label=f"Importing {file.path.name}") as bar:
        yield bar.update


def examine_files(files: tuple[Path, ...]) -> list[DumpFile]:
    """Read files to their end before anything is written.

    Raises:
        ClickException: one of them is no whole dump.
    """
    examined = []
    for path in dict.fromkeys(files):
        try:
            with _PROGRESS(length=path.stat().st_size, label=f"Reading {path.name}") as bar:
                examined.append(examine_file(path, bar.update))
        except DumpBroken as broken:
            raise click.ClickException(f"{path.name}: {broken}. Nothing was written.") from broken
    return examined
