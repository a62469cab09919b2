"""The commands ``import``, ``export`` and ``remove-samples`` on both databases.

Each service's own code reads and writes its database. They run in one process, so that the import of the news learns
from the import of the accounts who is the same person here, whether user-service runs or not.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from chassis.database import Database, utc_now
from chassis.dumps.command import (
    DRY_RUN,
    FILES,
    TIME_ZONE,
    errors_for_operators,
    examine_files,
    print_report,
    show_progress,
)
from chassis.dumps.exporting import print_notes, write_export
from chassis.dumps.files import DumpFile
from chassis.dumps.importing import ImportOptions
from chassis.dumps.report import ImportReport
from chassis.dumps.writing import write_tables
from chassis.logs import configure_logs
from chassis.settings import load_settings
from news_service.imports import exporting as news_export
from news_service.imports import importing as news_import
from news_service.imports.pictures import Pictures
from news_service.samples.removal import REMOVE_ALL_HELP, remove_samples
from transfer.settings import TransferSettings
from user_service.accounts import export_sql as user_export
from user_service.accounts import import_sql as user_import


@dataclass(frozen=True)
class Databases:
    """The databases of both services."""

    user: Database
    news: Database


@contextmanager
def _databases(settings: TransferSettings) -> Iterator[Databases]:
    with ExitStack() as stack, errors_for_operators():
        databases = [
            Database(url.get_secret_value()) for url in (settings.user_database_url, settings.news_database_url)
        ]
        for database in databases:
            stack.callback(database.close)
        yield Databases(*databases)


@click.group()
def transfer() -> None:
    """Bring accounts and news in and out."""
    configure_logs("transfer", "INFO", client_addresses="masked")


@transfer.command("import")
@FILES
@DRY_RUN
@TIME_ZONE
@click.option("--with-roles", is_flag=True, help=user_import.ROLES_HELP)
@click.option("--keep-host", "keep_hosts", multiple=True, help="A host whose pictures stay where they are, by HTTPS.")
def import_dumps(
    files: tuple[Path, ...], *, dry_run: bool, time_zone: ZoneInfo, with_roles: bool, keep_hosts: tuple[str, ...]
) -> None:
    """Import dumps of the course's MySQL database: accounts, then news; a second run changes nothing."""
    settings = load_settings(TransferSettings)
    if unknown := set(keep_hosts) - set(settings.news_image_hosts):
        hosts = ",".join(sorted({*settings.news_image_hosts, *unknown}))
        raise click.UsageError(f"No page would show these pictures. Set NEWS_IMAGE_HOSTS={hosts} for all, and repeat.")
    examined = examine_files(files)
    switches = frozenset({user_import.WITH_ROLES} if with_roles else ())
    options = ImportOptions(zone=time_zone, is_dry_run=dry_run, progress=show_progress, switches=switches)
    with _databases(settings) as databases:
        for file, report in import_all(databases, examined, options, Pictures(frozenset(keep_hosts))):
            print_report(file, report, is_dry_run=dry_run)


def import_all(
    databases: Databases, files: list[DumpFile], options: ImportOptions, pictures: Pictures
) -> Iterator[tuple[DumpFile, ImportReport]]:
    """Import the accounts of all files, then the rest, and report on each file.

    Raises:
        ImportImpossible, DependencyUnavailable: as each service's import.
    """
    people = user_import.ImportedPeople()
    with_accounts = [file for file in files if file.rows["info_user"]]
    accounts = {
        file.path: report
        for file, report in user_import.import_files(databases.user, with_accounts, options, people=people)
    }
    news = news_import.import_files(databases.news, files, options, find_same=people.same, pictures=pictures)
    for file, report in news:
        yield file, _joined(accounts.get(file.path, ImportReport()), report)


def _joined(accounts: ImportReport, news: ImportReport) -> ImportReport:
    """Join what both services say of a file: neither counts as skipped what the other has imported."""
    tables = accounts.tables | news.tables
    return ImportReport(tables, {name: why for name, why in news.skipped.items() if name not in tables})


@transfer.command("export")
@TIME_ZONE
@click.option("--output", type=click.Path(path_type=Path), help="A new file, in place of the standard output.")
@click.option("--without-hashes", is_flag=True, help=user_export.WITHOUT_HASHES_HELP)
def export(*, time_zone: ZoneInfo, output: Path | None, without_hashes: bool) -> None:
    """Write all classic tables as SQL that MySQL and MariaDB load, and that `import` reads."""
    notes, now = Counter[str](), utc_now()
    switches = frozenset({user_export.WITHOUT_HASHES} if without_hashes else ())
    with _databases(load_settings(TransferSettings)) as databases:
        tables = [
            *news_export.classic_tables(databases.news, now, notes),  # Before whom they name.
            *user_export.exported_tables(databases.user, now, notes, switches),
        ]
        write_export(write_tables(tables, time_zone), output, warning=user_export.EXPORT_WARNING)
    print_notes(notes)


@transfer.command("remove-samples")
@click.option("--all", "is_all", is_flag=True, help=REMOVE_ALL_HELP)
def remove_sample_articles(*, is_all: bool) -> None:
    """Remove the sample articles that nobody has edited, commented on or kept."""
    with _databases(load_settings(TransferSettings)) as databases:
        click.echo(remove_samples(databases.news, also_used=is_all))
