"""The tables: the classic ``info_user``, and beside it the sessions and the audit log."""

import enum
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import BigInteger, Enum, ForeignKey, Integer, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.database import UtcDateTime, utc_now

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
    """A PHC text that `passwords.Passwords` made; its own type, so that no plain password can take its place."""

    phc: str


NO_PASSWORD = HashedPassword("")  # Matches nothing: its owner signs in by code.


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
    # A deleted account keeps its id and a tombstone's name, as articles and comments point at it.
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def password(self) -> HashedPassword:
        """Nothing: a password can be written and never read.

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
        """What the user's tokens allow."""
        return ["admin"] if self.is_admin else []

    def is_banned(self, now: datetime) -> bool:
        """Say whether a ban is in force; one that ran out needs nobody to lift it."""
        return self.banned_until is not None and self.banned_until > now

    def may_enter(self, now: datetime) -> bool:
        """Say whether the account is neither banned nor deleted."""
        return self.deleted_at is None and not self.is_banned(now)


class AuditEvent(Base):
    """One line of the audit log, which is only ever added to and purged by age; see `audit.py`."""

    __tablename__ = "user_audit"
    __table_args__ = TABLE_OPTIONS

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    event: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(64))
    # No foreign keys: what happened stays true when an account is gone.
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
    # Indexed, as what was ended lately is told to the gateways again after an outage.
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    user_agent: Mapped[str] = mapped_column(String(256), default="")
    ip_prefix: Mapped[str] = mapped_column(String(43), default="")
