"""Writes examined files to a database, each in one transaction, or all in one that is taken back."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.dumps.files import DumpFile, Progress
from chassis.dumps.report import ImportReport


@dataclass(frozen=True)
class ImportOptions:
    """How to import: naive times are local times of ``zone``; ``progress`` shows a file's way through so many bytes."""

    zone: ZoneInfo
    is_dry_run: bool
    progress: Callable[[DumpFile, int], AbstractContextManager[Progress]]


class Importer(Protocol):
    """What a service does with the files of its tables."""

    def __call__(
        self, database: Database, files: list[DumpFile], options: ImportOptions
    ) -> Iterator[tuple[DumpFile, ImportReport]]:
        """Import all files and report on each."""


def write_files(
    database: Database, files: list[DumpFile], write: Callable[[Session, DumpFile], ImportReport], *, is_dry_run: bool
) -> Iterator[tuple[DumpFile, ImportReport]]:
    """Write files in their order, each in a transaction of its own, and report on each.

    A dry run does all of it in one transaction, so that files see what the ones before them did, and takes it back.
    """
    if not is_dry_run:
        for file in files:
            with database.write() as session:
                report = write(session, file)
            yield file, report
        return
    with database.write() as session:
        reports = [(file, write(session, file)) for file in files]
        session.rollback()
    yield from reports
