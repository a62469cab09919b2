"""Reads the parts of a compact JWS (RFC 7515) as strictly as RFC 8725 asks for, where PyJWT is lenient."""

import base64
import json
import re
from typing import Any  # Header and claims are JSON objects of unknown content until they are checked.

_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def checked_key_id(header: dict[str, Any]) -> str:
    """Return the key id of a header that says ``alg``, ``kid`` and ``typ`` (RFC 9068) and nothing else.

    Raises:
        ValueError: anything else stands in it.
    """
    if set(header) != {"alg", "kid", "typ"} or header["typ"] != "at+jwt" or header["alg"] != "ES256":
        raise ValueError("unacceptable header")
    if not isinstance(header["kid"], str) or not _KEY_ID.fullmatch(header["kid"]):
        raise ValueError("unacceptable key id")
    return header["kid"]


def decoded_segment(segment: str) -> bytes:
    """Decode base64url (RFC 7515 2), in its one canonical form.

    Raises:
        ValueError: padded, or with bits that mean nothing.
    """
    data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != segment:
        raise ValueError("not canonical base64url")
    return data


def json_object(text: bytes) -> dict[str, Any]:
    """Parse a JSON object in which no member stands twice.

    Raises:
        ValueError: it is none.
    """
    value = json.loads(text, object_pairs_hook=_without_duplicates)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one kind of error for every malformed token.
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate members")
    return found
