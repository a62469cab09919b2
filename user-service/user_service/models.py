"""The tables (the classic ``info_user``, sessions, audit log), and the queries for one account that all flows share."""

import enum
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any  # Rows of differing columns.

from sqlalchemy import BigInteger, Enum, ForeignKey, Integer, MetaData, Row, String, bindparam, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, mapped_column

from chassis.database import UtcDateTime, utc_now
from chassis.errors import Unauthenticated
from chassis.mobiles import Mobile

# A ban without an end; a moment that all three databases can hold.
FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)
# One collation whose comparisons are exact, so that unique names mean the same on all three databases.
TABLE_OPTIONS = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


class Base(DeclarativeBase):
    """All tables of this service."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Gender(enum.StrEnum):
    """What the classic table allows."""

    MAN = "MAN"
    WOMAN = "WOMAN"


@dataclass(frozen=True)
class HashedPassword:
    """A PHC text that `passwords.hashing.Passwords` made. It has its own type, so that no plain password is stored."""

    phc: str


NO_PASSWORD = HashedPassword("")  # No password matches it; the owner signs in by code.


@dataclass(frozen=True)
class Device:
    """What a session stores about its client, so that the owner recognises it in the list of sessions."""

    user_agent: str
    ip_prefix: str


class User(Base):
    """One account. Columns that the classic dumps leave NULL stay nullable."""

    __tablename__ = "info_user"
    __table_args__ = TABLE_OPTIONS

    create_time: Mapped[datetime | None] = mapped_column(UtcDateTime, default=utc_now)
    update_time: Mapped[datetime | None] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)
    id: Mapped[int] = mapped_column(primary_key=True)
    nick_name: Mapped[str] = mapped_column(String(32), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    mobile: Mapped[str] = mapped_column(String(16), unique=True)
    avatar_url: Mapped[str | None] = mapped_column(String(256))
    last_login: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_admin: Mapped[bool | None] = mapped_column(default=False)
    signature: Mapped[str | None] = mapped_column(String(512))
    gender: Mapped[Gender | None] = mapped_column(Enum(Gender, name="gender"), default=Gender.MAN)
    banned_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ban_reason: Mapped[str | None] = mapped_column(String(256))
    must_reset_password: Mapped[bool] = mapped_column(default=False)
    is_editor: Mapped[bool] = mapped_column(default=False)
    # A deleted account keeps its id and gets a placeholder name, because articles and comments refer to it.
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def password(self) -> HashedPassword:
        """Refuse to be read; a password can only be written.

        Raises:
            AttributeError: always.
        """
        raise AttributeError("a password cannot be read")

    @password.setter
    def password(self, hashed: HashedPassword) -> None:
        if not isinstance(hashed, HashedPassword):
            raise TypeError("a password is stored hashed only")
        self.password_hash = hashed.phc

    @property
    def roles(self) -> list[str]:
        """The roles that stand in the user's tokens: none while the password must be reset."""
        return roles_of(self)

    def is_banned(self, now: datetime) -> bool:
        """Say whether a ban is in force. A ban with an end is over by itself."""
        return self.banned_until is not None and self.banned_until > now

    def may_sign_in(self, now: datetime) -> bool:
        """Say whether the account is neither banned nor deleted."""
        return self.deleted_at is None and not self.is_banned(now)


def roles_of(user: User | Row[*tuple[Any, ...]]) -> list[str]:
    """Return the roles that an account has, or a row of it with these three columns; see `User.roles`."""
    return [] if user.must_reset_password else granted_roles(user)


def granted_roles(user: User | Row[*tuple[Any, ...]]) -> list[str]:
    """Return the roles that an account was granted, also while its password must be reset."""
    return ["admin"] * bool(user.is_admin) + ["editor"] * bool(user.is_editor)


class AuditEvent(Base):
    """One line of the audit log. Lines are added and purged by age, and never changed; see `audit.log`."""

    __tablename__ = "user_audit"
    __table_args__ = TABLE_OPTIONS

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    event: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(64))
    # No foreign keys: the line of a deleted account stays.
    user_id: Mapped[int | None] = mapped_column(index=True)
    actor_id: Mapped[int | None] = mapped_column()
    mobile_masked: Mapped[str] = mapped_column(String(16), default="")
    ip_prefix: Mapped[str] = mapped_column(String(43), default="")
    request_id: Mapped[str] = mapped_column(String(128), default="")
    detail: Mapped[str] = mapped_column(String(256), default="")


class UserSession(Base):
    """One signed-in device. ``id`` is the ``sid`` of its tokens, and sorts by time of creation."""

    __tablename__ = "user_session"
    __table_args__ = TABLE_OPTIONS

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("info_user.id", ondelete="CASCADE"), index=True)
    refresh_hash: Mapped[str] = mapped_column(String(64))
    refresh_generation: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    authenticated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Indexed, because after an outage the recently revoked sessions are sent to the gateways again.
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    user_agent: Mapped[str] = mapped_column(String(256), default="")
    ip_prefix: Mapped[str] = mapped_column(String(43), default="")


# Built once: building it anew for each login takes as long as running it. For a mobile without an account it loads the
# oldest account's row, so that both cases take the same time; otherwise some 0.15 ms would tell them apart (T22).
_candidate = aliased(User)
_BY_MOBILE = select(User).where(
    User.id
    == func.coalesce(
        select(_candidate.id).where(_candidate.mobile == bindparam("mobile")).scalar_subquery(),
        select(func.min(_candidate.id)).scalar_subquery(),
    )
)


def find_by_mobile(db: Session, mobile: Mobile) -> User | None:
    """Return the account of a mobile, or None."""
    user = db.scalar(_BY_MOBILE, {"mobile": mobile})
    return user if user is not None and user.mobile == mobile and user.deleted_at is None else None


def signed_in_account(db: Session, user_id: int) -> User:
    """Return the account of a signed-in user.

    Raises:
        Unauthenticated: the account was deleted, and the token is still valid.
    """
    return _existing(db.get(User, user_id))


def locked_account(db: Session, user_id: int) -> User:
    """Return the account of a signed-in user, locked against other changes until the transaction ends.

    Raises:
        Unauthenticated: as `signed_in_account`.
    """
    return _existing(db.get(User, user_id, with_for_update=True))


def _existing(user: User | None) -> User:
    if user is None or user.deleted_at is not None:
        raise Unauthenticated
    return user
