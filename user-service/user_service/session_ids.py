"""Session ids: they sort by the time at which their sessions began, as ULIDs do, and nobody can guess one."""

import secrets
from datetime import datetime

_TIME_DIGITS = 12  # 48 bits of milliseconds, in hexadecimal digits.
_RANDOM_BYTES = 10


def new_session_id(now: datetime, *, after: str | None) -> str:
    """Draw an id that is greater than the newest of the same user, whatever the clocks of our instances say.

    So "all sessions up to this id" is exact: none that begins later is caught, and none before is missed.
    """
    milliseconds = _milliseconds(now)
    if after is not None:
        milliseconds = max(milliseconds, int(after[:_TIME_DIGITS], 16) + 1)
    return f"{milliseconds:0{_TIME_DIGITS}x}{secrets.token_hex(_RANDOM_BYTES)}"


def last_session_id(now: datetime) -> str:
    """Return the greatest id of the present millisecond."""
    return f"{_milliseconds(now):0{_TIME_DIGITS}x}{'f' * 2 * _RANDOM_BYTES}"


def _milliseconds(now: datetime) -> int:
    return int(now.timestamp() * 1000)
