"""Accounts as their owner and others see them: read, changed, looked up by id."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from chassis.database import Database
from chassis.errors import NickNameTaken, NotFound, Unauthenticated
from chassis.mobiles import Mobile
from user_service.accounts.nick_names import checked_nick_name
from user_service.models import Gender, User

# Built once: to build it anew for each login takes as long as to run it. Who has no account gets the oldest one's row,
# so that loading takes as long: else some 0.15 ms tell known mobiles from others (T22).
_theirs = aliased(User)
_BY_MOBILE = select(User).where(
    User.id
    == func.coalesce(
        select(_theirs.id).where(_theirs.mobile == bindparam("mobile")).scalar_subquery(),
        select(func.min(_theirs.id)).scalar_subquery(),
    )
)


@dataclass(frozen=True)
class ProfileChange:
    """What an owner changes; None leaves a field as it is, an empty signature removes it."""

    nick_name: str | None = None
    signature: str | None = None
    gender: Gender | None = None


def find_by_mobile(db: Session, mobile: Mobile) -> User | None:
    """Return the account of a mobile, or None."""
    user = db.scalar(_BY_MOBILE, {"mobile": mobile})
    return user if user is not None and user.mobile == mobile and user.deleted_at is None else None


def locked_account(db: Session, user_id: int) -> User:
    """Return the account of a signed-in user, locked against other changes until the transaction ends.

    Raises:
        Unauthenticated: it is gone, and the token outlived it.
    """
    user = db.get(User, user_id, with_for_update=True)
    if user is None or user.deleted_at is not None:
        raise Unauthenticated
    return user


def is_nick_name_free(db: Session, nick_name: str) -> bool:
    """Say whether no account has a nick name now; the unique constraint alone decides in the end."""
    return db.scalar(select(User.id).where(User.nick_name == nick_name)) is None


class Accounts:
    """All accounts, on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def own(self, user_id: int) -> User:
        """Return the account of a signed-in user.

        Raises:
            Unauthenticated: it is gone, and the token outlived it.
        """
        with self._database.read() as db:
            user = db.get(User, user_id)
        if user is None or user.deleted_at is not None:
            raise Unauthenticated
        return user

    def public(self, user_id: int) -> User:
        """Return an account for its public profile.

        Raises:
            NotFound: there is none, or it was deleted.
        """
        with self._database.read() as db:
            user = db.get(User, user_id)
        if user is None or user.deleted_at is not None:
            raise NotFound
        return user

    def named(self, user_ids: Iterable[int]) -> Sequence[User]:
        """Return the accounts of some ids in the order of their ids; unknown ids are left out.

        Deleted ones are among them: what they wrote stays, under the name of a tombstone.
        """
        with self._database.read() as db:
            return db.scalars(select(User).where(User.id.in_(set(user_ids))).order_by(User.id)).all()

    def change(self, user_id: int, change: ProfileChange) -> User:
        """Change an own profile and return it.

        Raises:
            RequestInvalid: the nick name is not acceptable.
            NickNameTaken: another account has it.
            Unauthenticated: as in `own`.
        """
        nick_name = None if change.nick_name is None else checked_nick_name(change.nick_name)
        try:
            with self._database.write() as db:
                user = locked_account(db, user_id)
                user.nick_name = nick_name or user.nick_name
                user.gender = change.gender or user.gender
                if change.signature is not None:
                    user.signature = change.signature or None
                return user
        except IntegrityError as error:
            raise NickNameTaken from error
