"""Imports dump files: each is read to its end before anything is written, then written in one transaction."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from chassis.database import Database
from news_service.attention import recount
from news_service.dumps.files import read_pieces
from news_service.dumps.layouts import LAYOUTS, KnownIds
from news_service.dumps.loading import TableLoader
from news_service.dumps.mysql_dump import DumpBroken
from news_service.dumps.report import ImportReport
from news_service.dumps.statements import read_rows
from news_service.dumps.values import ValueReader
from news_service.sequences import move_past
from news_service.tables import NEWEST_CATEGORY_ID, InfoCategory

Progress = Callable[[int], None]
ShowProgress = Callable[["DumpFile"], AbstractContextManager[Progress]]
_NOT_DATA = ("alembic_version",)


@dataclass(frozen=True)
class DumpFile:
    """A file that was read once to its end: the number of rows per table."""

    path: Path
    rows: Counter[str]

    @property
    def tables(self) -> list[str]:
        """The tables that we import from it, in the order of import."""
        return [name for name in LAYOUTS if self.rows[name]]

    @property
    def bytes_to_import(self) -> int:
        """How many bytes an import reads: the file once per table, because a dump's own order is the alphabet's."""
        return self.path.stat().st_size * len(self.tables)


def examine(path: Path, on_bytes: Progress) -> DumpFile:
    """Read a file to its end without writing anything.

    Raises:
        DumpBroken: it is cut off, in another encoding, no dump at all, or has no rows.
    """
    rows = Counter(row.table for row in read_rows(read_pieces(path, on_bytes)))
    if not rows:
        raise DumpBroken("the file holds no INSERT; it is not a dump with data")
    return DumpFile(path, rows)


def in_order_of_import(files: list[DumpFile]) -> list[DumpFile]:
    """Put files first whose tables others point to: categories before news, however they were named."""
    order = list(LAYOUTS)
    return sorted(files, key=lambda file: min((order.index(name) for name in file.tables), default=len(order)))


def import_files(
    database: Database, files: list[DumpFile], *, zone: ZoneInfo, is_dry_run: bool, progress: ShowProgress
) -> Iterator[tuple[DumpFile, ImportReport]]:
    """Import files, each in one transaction, and report on each. Naive times are local times of ``zone``.

    A dry run does all of it in one transaction, so that files see what the ones before them did, and takes it back.
    """
    ordered = in_order_of_import(files)
    if not is_dry_run:
        for file in ordered:
            with database.write() as session:
                report = _import_file(session, file, ValueReader(zone), progress)
                move_past(session, *(LAYOUTS[name].model.__table__ for name in file.tables))
            yield file, report
        return
    with database.write() as session:
        reports = [(file, _import_file(session, file, ValueReader(zone), progress)) for file in ordered]
        session.rollback()
    yield from reports


def _import_file(session: Session, file: DumpFile, reader: ValueReader, progress: ShowProgress) -> ImportReport:
    skipped = {name: count for name, count in sorted(file.rows.items()) if name not in (*LAYOUTS, *_NOT_DATA)}
    report = ImportReport({}, skipped)
    known, touched = KnownIds(), set[int]()
    with progress(file) as on_bytes:
        for name in file.tables:
            loader = TableLoader(session, LAYOUTS[name], known=known, reader=reader)
            report.tables[name] = loader.report
            for row in read_rows(read_pieces(file.path, on_bytes)):
                if row.table == name:
                    loader.add(row)
            touched |= loader.finish()
        recount(session, touched)
    first = session.get(InfoCategory, NEWEST_CATEGORY_ID)
    if "info_category" in file.tables and first is not None and first.name != "最新":
        report.tables["info_category"].notes["category 1 is not 最新, yet it stands for all articles"] += 1
    return report
