"""Accounts as their owners and other people see them: read, changed, looked up by id."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any  # Rows of differing columns.

from sqlalchemy import Row, bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import MobileInvalid, NickNameTaken, NotFound, Unauthenticated
from chassis.mobiles import parse_mobile
from user_service.accounts.nick_names import checked_nick_name
from user_service.models import Gender, User, locked_account

AccountRow = Row[*tuple[Any, ...]]
# What people see of an account. A row of plain columns takes half the time of an object with all of them, and the
# query is built once.
_columns = User.__table__.c
_SHOWN_ACCOUNT = select(
    _columns.id,
    _columns.nick_name,
    _columns.avatar_url,
    _columns.signature,
    _columns.gender,
    _columns.mobile,
    _columns.is_admin,
    _columns.is_editor,
    _columns.must_reset_password,
    _columns.create_time,
    _columns.last_login,
).where(_columns.id == bindparam("user_id"), _columns.deleted_at.is_(None))
_CARDS = (
    select(_columns.id, _columns.nick_name, _columns.avatar_url, _columns.create_time)
    .where(_columns.id.in_(bindparam("user_ids", expanding=True)))
    .order_by(_columns.id)
)


@dataclass(frozen=True)
class ProfileChange:
    """What an owner changes. None leaves a field as it is, an empty signature removes it."""

    nick_name: str | None = None
    signature: str | None = None
    gender: Gender | None = None


def is_nick_name_free(db: Session, nick_name: str) -> bool:
    """Say whether no account has a nick name now. Later only the unique constraint decides."""
    return db.scalar(select(User.id).where(User.nick_name == nick_name)) is None


def _is_mobile(text: str, mobile: str) -> bool:
    try:
        return parse_mobile(text) == mobile
    except MobileInvalid:
        return False


@dataclass(frozen=True)
class Accounts:
    """All accounts, on the database."""

    database: Database

    def own_account(self, user_id: int) -> AccountRow:
        """Return the shown columns of a signed-in user.

        Raises:
            Unauthenticated: the account was deleted, and the token is still valid.
        """
        user = self._shown(user_id)
        if user is None:
            raise Unauthenticated
        return user

    def public_account(self, user_id: int) -> AccountRow:
        """Return the shown columns of an account for its public profile.

        Raises:
            NotFound: there is none, or it was deleted.
        """
        user = self._shown(user_id)
        if user is None:
            raise NotFound
        return user

    def _shown(self, user_id: int) -> AccountRow | None:
        return next(iter(self.database.read_rows(_SHOWN_ACCOUNT, {"user_id": user_id})), None)

    def accounts_by_id(self, user_ids: Iterable[int]) -> Sequence[AccountRow]:
        """Return the accounts of some ids in the order of their ids; unknown ids are left out.

        Deleted accounts are among them: what their owners wrote stays, under a placeholder name.
        """
        return self.database.read_rows(_CARDS, {"user_ids": sorted(set(user_ids))})

    def same_accounts(self, accounts: Mapping[int, str]) -> set[int]:
        """Return the ids of those accounts of a dump (id → mobile) that are the same here: id and mobile are equal.

        A mobile that is none, another account's id and a deleted account are left out.
        """
        with self.database.read() as db:
            users = select(User.id, User.mobile).where(User.id.in_(accounts), User.deleted_at.is_(None))
            mobiles = {user.id: user.mobile for user in db.execute(users)}
        return {user_id for user_id, mobile in mobiles.items() if _is_mobile(accounts[user_id], mobile)}

    def change_profile(self, user_id: int, change: ProfileChange) -> User:
        """Change the profile of a signed-in user, and return the account.

        Raises:
            RequestInvalid: the nick name is not acceptable.
            NickNameTaken: another account has it.
            Unauthenticated: as in `own_account`.
        """
        nick_name = None if change.nick_name is None else checked_nick_name(change.nick_name)
        try:
            with self.database.write() as db:
                user = locked_account(db, user_id)
                user.nick_name = nick_name or user.nick_name
                user.gender = change.gender or user.gender
                if change.signature is not None:
                    user.signature = change.signature or None
                return user
        except IntegrityError as error:
            raise NickNameTaken from error
