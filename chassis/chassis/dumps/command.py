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
from chassis.dumps.importing import Importer, ImportImpossible, ImportOptions
from chassis.dumps.tokens import DumpBroken
from chassis.errors import DependencyUnavailable

# On stderr, so that the report can be piped.
_PROGRESS = functools.partial(click.progressbar, file=sys.stderr, show_pos=False)


def _zone(_context: click.Context, _option: click.Parameter, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.BadParameter(f"{name!r} is not a time zone such as Asia/Shanghai") from error


def install_import(
    app: Flask, database_url: str, import_files: Importer, *, switches: Mapping[str, str] | None = None
) -> None:
    """Add the command to a service's app.

    ``import_files`` imports the files of its tables; ``switches`` are further ones of the service, ``with_roles`` for
    ``--with-roles``, with their help.
    """

    @app.cli.command("import-sql")
    @click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--dry-run", is_flag=True, help="Report what an import would do, and write nothing.")
    @click.option(
        "--time-zone", callback=_zone, default="Asia/Shanghai", show_default=True, help="Of the dumps' times."
    )
    def import_sql(files: tuple[Path, ...], *, dry_run: bool, time_zone: ZoneInfo, **given: bool) -> None:
        """Import dumps of the course's MySQL database; a second run changes nothing."""
        examined = _examine_files(files)
        database = Database(database_url)
        chosen = frozenset(name for name, is_on in given.items() if is_on)
        options = ImportOptions(zone=time_zone, is_dry_run=dry_run, progress=_show_progress, switches=chosen)
        try:
            for file, report in import_files(database, examined, options):
                title = f"{file.path.name} (dry run, nothing written)" if dry_run else file.path.name
                click.echo("\n".join([title, *report.lines()]))
        except ImportImpossible as error:
            raise click.ClickException(f"{error} Nothing was written.") from error
        except DependencyUnavailable as error:
            raise click.ClickException("The database is away, or not migrated yet (command: migrate).") from error
        finally:
            database.close()

    for name, text in (switches or {}).items():
        import_sql.params.append(click.Option([f"--{name.replace('_', '-')}"], is_flag=True, help=text))


@contextmanager
def _show_progress(file: DumpFile, total_bytes: int) -> Iterator[Progress]:
    with _PROGRESS(length=total_bytes, label=f"Importing {file.path.name}") as bar:
        yield bar.update


def _examine_files(files: tuple[Path, ...]) -> list[DumpFile]:
    examined = []
    for path in dict.fromkeys(files):
        try:
            with _PROGRESS(length=path.stat().st_size, label=f"Reading {path.name}") as bar:
                examined.append(examine_file(path, bar.update))
        except DumpBroken as broken:
            raise click.ClickException(f"{path.name}: {broken}. Nothing was written.") from broken
    return examined
