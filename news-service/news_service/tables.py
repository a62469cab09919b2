"""What the tables of the news database share. Each feature has its own in its ``tables.py``.

The classic tables keep their names and columns, with some columns of our own. Accounts live in user-service, so no id
of a user has a foreign key here. Times may be NULL where old dumps have NULL. The code that edits a row sets
``update_time``: a change on every UPDATE would also follow each counted view.
"""

from sqlalchemy import MetaData, Text
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.orm import DeclarativeBase

# MariaDB's TEXT ends at 64 KiB, and its default collation may be one that knows no four-byte characters.
LONG_TEXT = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")
HIGHEST_ID = 2**31 - 1
"""What an integer column holds at most: PostgreSQL refuses a question about more."""

OPTIONS = {"mysql_charset": "utf8mb4", "mysql_engine": "InnoDB"}


class Base(DeclarativeBase):
    """The metadata that migrations are compared with."""

    metadata = MetaData(
        naming_convention={
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        }
    )
