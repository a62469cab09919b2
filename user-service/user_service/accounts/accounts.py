"""Accounts as their owners and other people see them: read, changed, looked up by id."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import MobileInvalid, NickNameTaken, NotFound
from chassis.mobiles import parse_mobile
from user_service.accounts.nick_names import checked_nick_name
from user_service.models import Gender, User, locked_account, signed_in_account


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

    def own_account(self, user_id: int) -> User:
        """Return the account of a signed-in user.

        Raises:
            Unauthenticated: the account was deleted, and the token is still valid.
        """
        with self.database.read() as db:
            return signed_in_account(db, user_id)

    def public_account(self, user_id: int) -> User:
        """Return an account for its public profile.

        Raises:
            NotFound: there is none, or it was deleted.
        """
        with self.database.read() as db:
            user = db.get(User, user_id)
        if user is None or user.deleted_at is not None:
            raise NotFound
        return user

    def accounts_by_id(self, user_ids: Iterable[int]) -> Sequence[User]:
        """Return the accounts of some ids in the order of their ids; unknown ids are left out.

        Deleted accounts are among them: what their owners wrote stays, under a placeholder name.
        """
        with self.database.read() as db:
            return db.scalars(select(User).where(User.id.in_(set(user_ids))).order_by(User.id)).all()

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
