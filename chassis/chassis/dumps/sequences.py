"""Ids that were given by hand, and the sequence that gives the next ones."""

from sqlalchemy import FromClause, func, select, text
from sqlalchemy.orm import Session


def move_past(session: Session, *tables: FromClause) -> None:
    """Move the sequences of tables past their highest ids.

    Only PostgreSQL needs it; MariaDB and SQLite notice ids that are inserted. Tables without such ids are left alone.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    for table in (table for table in tables if "id" in table.c):
        highest = session.scalar(select(func.max(table.c.id)))
        if highest is not None:
            statement = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :highest)")
            session.execute(statement, {"name": str(table.description), "highest": highest})
