"""Reads JSON bodies as RFC 8259 means them, and refuses those that other programs or databases would not take."""

import json
import re
from typing import Any

from flask.json.provider import DefaultJSONProvider

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # PostgreSQL stores no text with NUL.


class StrictJson(DefaultJSONProvider):
    """Flask's JSON, without NaN, doubled members, halves of surrogate pairs and endless nesting."""

    ensure_ascii = False

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:  # Any: Flask's signature.
        """Read one document in UTF-8.

        Raises:
            ValueError: it is not JSON, or of the kinds named above.
        """
        source = s.decode() if isinstance(s, bytes) else s
        try:
            value = json.loads(source, object_pairs_hook=_members, parse_constant=_refuse)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        if "\\u" in source:
            if _NUL.search(source):
                raise ValueError("a text with a NUL character")
            json.dumps(value, ensure_ascii=False).encode()  # Half a surrogate pair cannot be encoded.
        return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member stands twice")
    return members


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
