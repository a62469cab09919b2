"""Who of a dump's accounts is the same person here. Nothing of anybody else is stored under an id of somebody here."""

from collections.abc import Callable, Collection, Iterator

from pydantic import BaseModel, ValidationError
from sqlalchemy import Integer, String

from chassis.dumps.files import DumpFile
from chassis.dumps.id_sets import IdSet
from chassis.dumps.importing import ImportImpossible, ImportOptions
from chassis.dumps.report import TableReport
from chassis.dumps.values import RowReader, RowRefused, ValueReader
from chassis.errors import XinjingError
from chassis.service_client import ServiceClient

ACCOUNTS_TABLE = "info_user"
# The classic order, for INSERTs without a column list; user-service, which imports the table, has the same one.
ACCOUNT_COLUMNS = (
    *("create_time", "update_time", "id", "nick_name", "password_hash", "mobile"),
    *("avatar_url", "last_login", "is_admin", "signature", "gender"),
)
ALIASES = {"username": "mobile"}  # The name in one dump of 2020.
_MOST_PER_CALL = 500
_LONGEST_MOBILE = 40
_LARGEST_ID = 2**31 - 1


class _SameAccounts(BaseModel):
    ids: list[int]


SameAccounts = Callable[[dict[int, str]], Collection[int]]
"""Says which of some accounts of a dump (id → mobile, at most 500) are the same people here: returns their ids."""


class Authors:
    """The ids of a dump's accounts that are the same here (id and mobile), and how many accounts the dump has."""

    def __init__(self) -> None:
        self._seen, self._same, self._others = IdSet(), IdSet(), IdSet()

    def add(self, accounts: dict[int, str], same: Collection[int]) -> None:
        """Add accounts of the dump, of which some are the same here. One id with two mobiles would be two people."""
        for user_id in accounts:
            self._seen.add(user_id)
            (self._same if user_id in same else self._others).add(user_id)

    def are_same(self, user_id: object) -> bool:
        """Say whether a user of the dump is the same person here."""
        return user_id in self._same and user_id not in self._others

    def why_unknown(self) -> str:
        """Say why a user is not the same person, for the report."""
        if not len(self._seen):
            return f"is unknown, because no file has {ACCOUNTS_TABLE}; name the file with the accounts, too"
        return "is not the same person here (id and mobile)"

    def summary(self) -> str:
        """Say how many are the same."""
        same = sum(1 for user_id in self._same if user_id not in self._others)
        return f"accounts belong to user-service, where {same} of {len(self._seen)} are the same person"


def find_authors(files: list[DumpFile], options: ImportOptions, find_same: SameAccounts) -> Authors:
    """Find out which of the accounts in some files are the same people here.

    Raises:
        ImportImpossible: ``find_same`` gives no answer.
    """
    authors, batch = Authors(), dict[int, str]()
    for file in files:
        for user_id, mobile in _accounts_of(file, options):
            if len(batch) == _MOST_PER_CALL or batch.get(user_id, mobile) != mobile:
                authors.add(batch, find_same(batch))
                batch = {}
            if mobile:
                batch[user_id] = mobile
            else:
                authors.add({user_id: ""}, ())
    if batch:
        authors.add(batch, find_same(batch))
    return authors


def _accounts_of(file: DumpFile, options: ImportOptions) -> Iterator[tuple[int, str]]:
    """Read ids and mobiles; accounts without them are nobody whom an article could name."""
    if not file.rows[ACCOUNTS_TABLE]:
        return
    kinds = dict.fromkeys(ACCOUNT_COLUMNS, String()) | {"id": Integer()}
    rows = RowReader(ACCOUNT_COLUMNS, kinds, ValueReader(options.zone), TableReport(), aliases=ALIASES)
    with options.progress(file, file.path.stat().st_size) as on_bytes:
        for row in file.read_table(ACCOUNTS_TABLE, on_bytes):
            try:
                values = rows.read_row(row)
            except RowRefused:
                continue
            user_id, mobile = values.get("id"), str(values.get("mobile") or "")
            if isinstance(user_id, int) and 1 <= user_id <= _LARGEST_ID:
                yield user_id, mobile if len(mobile) <= _LONGEST_MOBILE else ""


def ask_user_service(user_service: ServiceClient, accounts: dict[int, str]) -> set[int]:
    """Ask user-service over HTTP which of up to 500 accounts are the same there.

    Raises:
        ImportImpossible: user-service gives no answer.
    """
    body = {"accounts": [{"id": user_id, "mobile": mobile} for user_id, mobile in accounts.items()]}
    try:
        answer = user_service.call("POST", "/internal/users/imported", json=body)
        return set(_SameAccounts.model_validate(answer).ids)
    except (XinjingError, ValidationError) as error:
        raise ImportImpossible(
            "user-service does not say which accounts it has, so nobody knows who wrote the articles and comments. "
            "Start it, import the accounts there, and repeat this."
        ) from error
