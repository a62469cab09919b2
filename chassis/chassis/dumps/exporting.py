"""The command ``export-sql`` of a service, and what each export prints and refuses."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import click
from flask import Flask

from chassis.database import Database, utc_now
from chassis.dumps.command import TIME_ZONE
from chassis.dumps.importing import ANSWER_SECONDS
from chassis.dumps.writing import ClassicTable, write_tables
from chassis.errors import DependencyUnavailable

Tables = Callable[[Database, datetime, Counter[str], frozenset[str]], list[ClassicTable]]


def install_export(
    app: Flask, database_url: str, tables: Tables, *, warning: str, switches: Mapping[str, str] | None = None
) -> None:
    """Add the command to a service's app. ``warning`` goes to stderr; ``switches`` are as in `install_import`."""

    @app.cli.command("export-sql")
    @TIME_ZONE
    def export_sql(*, time_zone: ZoneInfo, **given: bool) -> None:
        """Write the classic tables as SQL to the standard output."""
        database, notes = Database(database_url, answer_seconds=ANSWER_SECONDS), Counter[str]()
        chosen = frozenset(name for name, is_on in given.items() if is_on)
        try:
            write_export(write_tables(tables(database, utc_now(), notes, chosen), time_zone), None, warning=warning)
            print_notes(notes)
        finally:
            database.close()

    for name, text in (switches or {}).items():
        export_sql.params.append(click.Option([f"--{name.replace('_', '-')}"], is_flag=True, help=text))


def write_export(pieces: Iterator[str], path: Path | None, *, warning: str) -> None:
    """Write an export to a new file that its owner alone may read, or to the standard output.

    Raises:
        ClickException: the file exists, the output is a terminal, or a database is away.
    """
    if path is None and sys.stdout.isatty():
        raise click.ClickException("This would print personal data on your screen; redirect it: … > site.sql")
    click.echo(warning, err=True)
    try:
        if path is None:
            _write_all(pieces, sys.stdout.buffer)
            return
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            _write_all(pieces, file)
    except FileExistsError as error:
        raise click.ClickException(f"{path} exists already; name another file.") from error
    except DependencyUnavailable as error:
        raise click.ClickException("The database is away, or not migrated yet. The export is not whole.") from error


def _write_all(pieces: Iterator[str], output: BinaryIO) -> None:
    for piece in pieces:
        output.write(piece.encode())
    output.flush()


def print_notes(notes: Counter[str]) -> None:
    """Print to stderr what the classic tables cannot hold."""
    for note, count in notes.most_common():
        click.echo(f"{count} × {note}", err=True)
