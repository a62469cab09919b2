"""Opening accounts: one insert, signed in. Who calls has proved that the mobile is theirs."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from chassis.database import Database
from chassis.errors import InternalError, MobileTaken
from chassis.mobiles import Mobile
from user_service.accounts import find_by_mobile
from user_service.audit import Happening, record
from user_service.grants import Device, SignedIn
from user_service.models import HashedPassword, User
from user_service.nick_names import draw_nick_name
from user_service.sessions import Sessions

_MOST_DRAWS = 6


class NewAccounts:
    """Opens accounts, for registering and for logging in by code."""

    def __init__(self, database: Database, sessions: Sessions, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._sessions = sessions
        self._clock = clock

    def open(self, mobile: Mobile, hashed: HashedPassword, device: Device, *, nick_name: str | None = None) -> SignedIn:
        """Make the account of a mobile and begin its first session.

        Raises:
            MobileTaken: the mobile has an account.
        """
        # The unique constraints decide, never a look before. Who loses the race for a nick name gets a drawn one:
        # the code is used up by now, and a name can be changed later.
        for attempt in range(_MOST_DRAWS):
            name = nick_name if nick_name and attempt == 0 else draw_nick_name(attempt)
            try:
                return self._insert(mobile, hashed, name, device)
            except IntegrityError as error:
                with self._database.read() as db:
                    if find_by_mobile(db, mobile) is not None:
                        raise MobileTaken from error
        raise InternalError("No free nick name was drawn.")

    def _insert(self, mobile: Mobile, hashed: HashedPassword, nick_name: str, device: Device) -> SignedIn:
        now = self._clock()
        user = User(mobile=mobile, password=hashed, nick_name=nick_name)
        user.create_time = user.update_time = user.last_login = now
        with self._database.write() as db:
            db.add(user)
            db.flush()
            record(db, Happening("registration", user_id=user.id, actor_id=user.id, mobile=mobile), now=now)
            return SignedIn(user, self._sessions.begin(db, user, device))
