"""Who of a dump's accounts is the same person here. Nothing of anybody else is stored under an id of somebody here."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pydantic import BaseModel, ValidationError
from sqlalchemy import Integer, String

from chassis.dumps.files import DumpFile
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


@dataclass(frozen=True)
class Authors:
    """The ids of a dump's accounts that are the same here (id and mobile), and how many accounts the dump has."""

    same: frozenset[int]
    count: int

    def are_same(self, user_id: object) -> bool:
        """Say whether a user of the dump is the same person here."""
        return user_id in self.same

    def why_unknown(self) -> str:
        """Say why a user is not the same person, for the report."""
        if not self.count:
            return f"is unknown, because no file has {ACCOUNTS_TABLE}; name the file with the accounts, too"
        return "is not the same person here (id and mobile)"

    def summary(self) -> str:
        """Say how many are the same."""
        return f"accounts belong to user-service, where {len(self.same)} of {self.count} are the same person"


def find_authors(files: list[DumpFile], options: ImportOptions, user_service: ServiceClient) -> Authors:
    """Ask user-service which of the accounts in some files are the same there.

    Raises:
        ImportImpossible: user-service gives no answer.
    """
    accounts: dict[int, str] = {}
    for file in files:
        for user_id, mobile in _accounts_of(file, options):
            # One id with two mobiles would be two people.
            accounts[user_id] = mobile if accounts.get(user_id, mobile) == mobile else ""
    same: set[int] = set()
    askable = iter([(user_id, mobile) for user_id, mobile in accounts.items() if mobile])
    while batch := dict(islice(askable, _MOST_PER_CALL)):
        same |= _ask(user_service, batch) & set(batch)
    return Authors(frozenset(same), len(accounts))


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


def _ask(user_service: ServiceClient, accounts: dict[int, str]) -> set[int]:
    body = {"accounts": [{"id": user_id, "mobile": mobile} for user_id, mobile in accounts.items()]}
    try:
        answer = user_service.call("POST", "/internal/users/imported", json=body)
        return set(_SameAccounts.model_validate(answer).ids)
    except (XinjingError, ValidationError) as error:
        raise ImportImpossible(
            "user-service does not say which accounts it has, so nobody knows who wrote the articles and comments. "
            "Start it, import the accounts there, and repeat this."
        ) from error
