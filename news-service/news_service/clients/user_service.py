"""The names of people and the age of their accounts, fetched from user-service and cached for a minute."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError
from structlog import get_logger

from chassis.errors import DependencyUnavailable, NotFound, XinjingError
from chassis.service_client import ServiceClient
from news_service.tables import HIGHEST_ID

log = get_logger(__name__)
CACHE_SECONDS = 60.0
PAUSE_SECONDS = 5.0
_MOST_CACHED = 10_000
_MOST_PER_CALL = 100


@dataclass(frozen=True)
class UserName:
    """A user's name and picture as pages show them, and since when the account exists (None: unknown)."""

    id: int
    nick_name: str
    avatar_url: str | None
    created_at: datetime | None = None


class _User(BaseModel):
    id: int
    nick_name: str
    avatar_url: str | None
    created_at: datetime | None = None


class _UserList(BaseModel):
    items: list[_User]


class Users:
    """A client of user-service with a bounded cache. Names fail open: a page without names is better than none.

    After a failure no page asks user-service for 5 seconds, so that its absence does not slow every page down.
    """

    def __init__(self, client: ServiceClient, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        # None stands for a user that does not exist; this is cached, too.
        self._cached: OrderedDict[int, tuple[float, UserName | None]] = OrderedDict()
        self._paused_until = float("-inf")

    def names(self, ids: Iterable[int | None]) -> dict[int, UserName]:
        """Return the names of users; unknown users are left out, and all while user-service does not answer.

        None stands for nobody: an article without an author, a decision that no user made.
        """
        names, missing = self._look_up({user_id for user_id in ids if user_id is not None})
        for start in range(0, len(missing), _MOST_PER_CALL):
            try:
                names |= self._fetch(missing[start : start + _MOST_PER_CALL])
            except DependencyUnavailable:
                break  # It is in the log already.
        return names

    def user_by_id(self, user_id: int) -> UserName:
        """Return one user, for what must not happen to an unknown one.

        Raises:
            NotFound: there is no such user.
            DependencyUnavailable: user-service does not answer, or did not a moment ago.
        """
        if not 0 < user_id <= HIGHEST_ID:
            raise NotFound
        found, missing = self._look_up({user_id})
        found |= self._fetch(missing) if missing else {}
        if user_id not in found:
            raise NotFound
        return found[user_id]

    def _look_up(self, ids: set[int]) -> tuple[dict[int, UserName], list[int]]:
        found: dict[int, UserName] = {}
        missing: list[int] = []
        with self._lock:
            for user_id in sorted(ids):
                kept_until, name = self._cached.get(user_id, (float("-inf"), None))
                if kept_until <= self._clock():
                    missing.append(user_id)
                elif name is not None:
                    found[user_id] = name
        return found, missing

    def _fetch(self, ids: list[int]) -> dict[int, UserName]:
        if self._clock() < self._paused_until:
            raise DependencyUnavailable("user-service is away.")
        query = urlencode([("id", user_id) for user_id in ids])
        try:
            user_list = _UserList.model_validate(self._client.call("GET", f"/internal/users?{query}"))
        except (XinjingError, ValidationError) as error:
            log.warning("names_unknown", users=len(ids), exc_info=error)
            self._paused_until = self._clock() + PAUSE_SECONDS
            raise DependencyUnavailable("user-service is away.") from error
        names = {user.id: UserName(**user.model_dump()) for user in user_list.items}
        self._cache(ids, names)
        return names

    def _cache(self, ids: Iterable[int], names: dict[int, UserName]) -> None:
        with self._lock:
            for user_id in ids:
                self._cached[user_id] = (self._clock() + CACHE_SECONDS, names.get(user_id))
                self._cached.move_to_end(user_id)
            while len(self._cached) > _MOST_CACHED:
                self._cached.popitem(last=False)
