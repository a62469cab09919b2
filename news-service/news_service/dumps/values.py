"""Turns the texts of a dump into values for our columns."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any  # The Python type of any column.
from zoneinfo import ZoneInfo

from sqlalchemy import Integer, String
from sqlalchemy.types import TypeEngine

from chassis.database import UtcDateTime

Value = int | str | datetime | None
Values = dict[str, Value]
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")


class RowRefused(Exception):
    """A row cannot be stored; the text says why, without its contents."""


@dataclass(frozen=True)
class ValueReader:
    """Reads the values of one dump, whose times are the local times of one zone."""

    zone: ZoneInfo

    def read(self, name: str, kind: TypeEngine[Any], text: str | None) -> Value:
        """Read a value for a column; NULL is always None here, whether the column takes it or not.

        Raises:
            RowRefused: no integer, no time, or longer than the column.
        """
        if text is None:
            return None
        if isinstance(kind, UtcDateTime):
            return self._time(name, text)
        if isinstance(kind, Integer):
            return _integer(name, text)
        if isinstance(kind, String) and kind.length is not None and len(text) > kind.length:
            raise RowRefused(f"{name} is longer than {kind.length} characters")
        # PostgreSQL stores no zero character, and no reader misses one.
        return text.replace("\0", "")

    def _time(self, name: str, text: str) -> datetime | None:
        if text.startswith("0000-00-00"):
            return None
        if not _TIME.fullmatch(text):
            raise RowRefused(f"{name} is not a time")
        try:
            return datetime.fromisoformat(text).replace(tzinfo=self.zone).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise RowRefused(f"{name} is not a time") from error


def _integer(name: str, text: str) -> int:
    if not _INTEGER.fullmatch(text) or not -(2**31) <= int(text) < 2**31:
        raise RowRefused(f"{name} is not an integer")
    return int(text)
