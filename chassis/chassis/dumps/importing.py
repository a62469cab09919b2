"""Writes examined files to a database, each in one transaction; a dry run rolls all of them back."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import FromClause, func, select, text
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.dumps.files import DumpFile, Progress
from chassis.dumps.report import ImportReport

ANSWER_SECONDS = 120
"""How long a statement of an import or an export may take: it has hundreds of rows."""


class ImportImpossible(Exception):
    """What an import needs is missing, and nothing was written. The text is a sentence for the operator."""


@dataclass(frozen=True)
class ImportOptions:
    """How to import.

    Naive times are local times of ``zone``; ``progress`` shows how many bytes of a file are done; ``switches`` are the
    service's own that were given.
    """

    zone: ZoneInfo
    is_dry_run: bool
    progress: Callable[[DumpFile, int], AbstractContextManager[Progress]]
    switches: frozenset[str] = frozenset()


class Importer(Protocol):
    """A service's function that imports the files of its tables."""

    def __call__(
        self, database: Database, files: list[DumpFile], options: ImportOptions
    ) -> Iterator[tuple[DumpFile, ImportReport]]:
        """Import all files and report on each."""


def write_files(
    database: Database, files: list[DumpFile], write: Callable[[Session, DumpFile], ImportReport], *, is_dry_run: bool
) -> Iterator[tuple[DumpFile, ImportReport]]:
    """Write files in their order, each in a transaction of its own, and report on each.

    A dry run writes all files in one transaction, so that each sees the rows of those before it, and rolls it back.
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


def move_sequences(session: Session, *tables: FromClause) -> None:
    """Move the sequences of tables past their highest ids.

    Rows of a dump keep their ids. Only PostgreSQL gives such an id again; tables without ``id`` are skipped.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    for table in (table for table in tables if "id" in table.c):
        highest = session.scalar(select(func.max(table.c.id)))
        if highest is not None:
            statement = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :highest)")
            session.execute(statement, {"name": str(table.description), "highest": highest})
