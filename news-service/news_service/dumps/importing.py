"""Imports dump files into the tables of the news, in the order in which these point to each other."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.dumps.files import DumpFile
from chassis.dumps.importing import ImportOptions, move_sequences, write_files
from chassis.dumps.report import ImportReport
from chassis.dumps.values import ValueReader
from news_service.dumps.layouts import LAYOUTS, KnownIds
from news_service.dumps.loading import TableLoader
from news_service.models import NEWEST_CATEGORY_ID, InfoCategory
from news_service.ranking import recount_engagement

_SKIPPED = {"info_user": "accounts belong to user-service"}


def import_files(
    database: Database, files: list[DumpFile], options: ImportOptions
) -> Iterator[tuple[DumpFile, ImportReport]]:
    """Import files and report on each; files come first whose tables others point to, however they were named."""
    order = list(LAYOUTS)
    ordered = sorted(files, key=lambda file: min(map(order.index, _tables(file)), default=len(order)))
    return write_files(
        database, ordered, lambda session, file: _import_file(session, file, options), is_dry_run=options.is_dry_run
    )


def _tables(file: DumpFile) -> list[str]:
    """Name the tables that we import from a file, in the order of import."""
    return [name for name in LAYOUTS if file.rows[name]]


def _import_file(session: Session, file: DumpFile, options: ImportOptions) -> ImportReport:
    report = ImportReport.begin(file.rows, imported=LAYOUTS, skipped=_SKIPPED, otherwise="not a table of the news")
    known, touched, tables = KnownIds(), set[int](), _tables(file)
    # The file is read once per table, because a dump's own order is the alphabet's.
    with options.progress(file, file.path.stat().st_size * len(tables)) as on_bytes:
        for name in tables:
            loader = TableLoader(session, LAYOUTS[name], known=known, reader=ValueReader(options.zone))
            report.tables[name] = loader.report
            for row in file.read_table(name, on_bytes):
                loader.add(row)
            touched |= loader.finish()
        recount_engagement(session, touched)
    if not options.is_dry_run:  # PostgreSQL does not take a moved sequence back.
        move_sequences(session, *(LAYOUTS[name].model.__table__ for name in tables))
    first = session.get(InfoCategory, NEWEST_CATEGORY_ID)
    if "info_category" in tables and first is not None and first.name != "最新":
        report.tables["info_category"].notes["category 1 is not 最新, yet it stands for all articles"] += 1
    return report
