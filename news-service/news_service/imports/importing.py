"""Imports dump files into the tables of the news, in the order in which these point to each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.dumps.files import DumpFile
from chassis.dumps.id_sets import IdSet
from chassis.dumps.importing import ImportOptions, move_sequences, write_files
from chassis.dumps.report import ImportReport, TableReport
from chassis.dumps.values import ValueReader
from news_service.articles.ranking import recount_engagement
from news_service.articles.tables import NEWEST_CATEGORY_ID, InfoCategory, InfoNews
from news_service.comments.threads import thread_answers
from news_service.imports.authors import ACCOUNTS_TABLE, Authors, SameAccounts, find_authors
from news_service.imports.layouts import LAYOUTS, KnownIds, Preparation
from news_service.imports.loading import TableLoader
from news_service.imports.pictures import Pictures
from news_service.samples.removal import remove_samples_from_unused_site
from news_service.search.index import index_articles

_FOLLOWED_AT_ONCE = 1000
NO_PICTURES = Pictures()


def import_files(
    database: Database,
    files: list[DumpFile],
    options: ImportOptions,
    *,
    find_same: SameAccounts,
    pictures: Pictures = NO_PICTURES,
) -> Iterator[tuple[DumpFile, ImportReport]]:
    """Import the files of one dump and report on each.

    Files come first whose tables others point to, however they were named. Before anything is written ``find_same``
    says which of the dump's accounts are the same people here.

    Raises:
        ImportImpossible: ``find_same`` gives no answer.
    """
    order = list(LAYOUTS)
    ordered = sorted(files, key=lambda file: min(map(order.index, _tables(file)), default=len(order)))
    run = _Run(options, find_authors(files, options, find_same), pictures, KnownIds())
    return write_files(database, ordered, run.import_file, is_dry_run=options.is_dry_run)


def _follow(session: Session, articles: IdSet) -> None:
    """Bring what is derived from articles and comments up to date: threads, counts and scores, the search."""
    ids = iter(articles)
    while some := list(islice(ids, _FOLLOWED_AT_ONCE)):
        thread_answers(session, some)
        recount_engagement(session, some)
        index_articles(session, some)


def _tables(file: DumpFile) -> list[str]:
    """Name the tables that we import from a file, in the order of import."""
    return [name for name in LAYOUTS if file.rows[name]]


@dataclass(frozen=True)
class _Run:
    """One run of the command."""

    options: ImportOptions
    authors: Authors
    pictures: Pictures
    known: KnownIds

    def import_file(self, session: Session, file: DumpFile) -> ImportReport:
        skipped = {ACCOUNTS_TABLE: self.authors.summary()}
        report = ImportReport.begin(file.rows, imported=LAYOUTS, skipped=skipped, otherwise="not a table of the news")
        touched, tables = IdSet(), _tables(file)
        # The file is read once per table, because a dump's own order is the alphabet's.
        with self.options.progress(file, file.path.stat().st_size * len(tables)) as on_bytes:
            for name in tables:
                report.tables[name] = TableReport()
                if name == InfoNews.__tablename__ and (removed := remove_samples_from_unused_site(session)):
                    report.tables[name].notes["sample article removed, because nothing else was here"] = removed
                preparation = Preparation(session, self.known, self.authors, self.pictures, report.tables[name])
                loader = TableLoader(LAYOUTS[name], preparation, ValueReader(self.options.zone))
                for row in file.read_table(name, on_bytes):
                    loader.add(row)
                for article_id in loader.finish():
                    touched.add(article_id)
            _follow(session, touched)
        if not self.options.is_dry_run:  # PostgreSQL does not take a moved sequence back.
            move_sequences(session, *(LAYOUTS[name].model.__table__ for name in tables))
        first = session.get(InfoCategory, NEWEST_CATEGORY_ID)
        if "info_category" in tables and first is not None and first.name != "最新":
            report.tables["info_category"].notes["category 1 is not 最新, yet it stands for all articles"] += 1
        return report
