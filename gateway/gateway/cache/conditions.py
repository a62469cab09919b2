"""Answers out of a stored one: 304 for a client that has it already, a part of it, and what a service's 304 changes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any  # A WSGI environ holds anything.

from gateway.cache.directives import read_date
from gateway.proxy.request import Headers, values_of

# What a service's 304 does not change (RFC 9111 3.2).
_OF_THE_BODY = frozenset({"content-length", "content-encoding", "content-type", "content-range"})
# What a 304 to a client leaves out (RFC 9110 15.4.5).
_NOT_IN_304 = _OF_THE_BODY | {"content-language"}
_ETAG = re.compile(r'(?:W/)?"([!#-~\x80-\xff]*)"')
_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)
# A client's conditions, which never travel to a service when the answer may be stored.
CONDITIONS = frozenset({"if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range", "range"})


@dataclass(frozen=True)
class StoredAnswer:
    """The parts of a stored answer that conditions are compared with."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Part:
    """Bytes of a body, from ``first`` to before ``end``."""

    first: int
    end: int


class RangeNotSatisfiable(Exception):
    """The body has no such bytes."""


def is_not_modified(stored: StoredAnswer, environ: Mapping[str, Any]) -> bool:
    """Say whether a client's condition is met by 304; If-None-Match wins over If-Modified-Since (RFC 9110 13.2.2)."""
    known, since_text = environ.get("HTTP_IF_NONE_MATCH"), environ.get("HTTP_IF_MODIFIED_SINCE")
    if (known is None and since_text is None) or not 200 <= stored.status < 300:
        return False
    if known is not None:
        etags = [_opaque(value) for value in values_of(stored.headers, "etag")]
        return known.strip() == "*" or bool({*_ETAG.findall(known)}.intersection(etags))
    since = read_date(since_text or "")
    changed = values_of(stored.headers, "last-modified") or values_of(stored.headers, "date")
    changed_at = read_date(changed[0]) if changed else None
    return since is not None and changed_at is not None and changed_at <= since


def _opaque(etag: str) -> str | None:
    found = _ETAG.fullmatch(etag)
    return found[1] if found else None


def headers_of_304(headers: Headers) -> Headers:
    """Return what of a stored head belongs on a 304."""
    return [(name, value) for name, value in headers if name.lower() not in _NOT_IN_304]


def wanted_part(stored: StoredAnswer, environ: Mapping[str, Any]) -> Part | None:
    """Return the part of a stored 200 that a GET asks for; None: it gets the whole.

    Only one range is served; who asks for several gets the whole (RFC 9110 14.2).

    Raises:
        RangeNotSatisfiable: the answer is a 416.
    """
    text = environ.get("HTTP_RANGE")
    found = _RANGE.fullmatch(text) if text and stored.status == 200 else None
    if found is None or environ["REQUEST_METHOD"] != "GET" or not _range_counts(stored, environ):
        return None
    first, last, size = found[1], found[2], len(stored.body)
    if not first:
        return _suffix(last, size)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise RangeNotSatisfiable
    return Part(int(first), min(int(last) + 1, size) if last else size)


def _suffix(length: str, size: int) -> Part | None:
    if not length:
        return None
    if not int(length) or not size:
        raise RangeNotSatisfiable
    return Part(max(size - int(length), 0), size)


def _range_counts(stored: StoredAnswer, environ: Mapping[str, Any]) -> bool:
    """Compare If-Range, exactly; a date is exact only if it is older than the answer (RFC 9110 8.8.2.2, 13.1.5)."""
    condition = environ.get("HTTP_IF_RANGE")
    if condition is None:
        return True
    if condition.startswith('"'):
        return values_of(stored.headers, "etag") == [condition]
    dates = [read_date(value) for value in values_of(stored.headers, "date")]
    modified_at = read_date(condition)
    is_old = modified_at is not None and dates != [] and dates[0] is not None and modified_at < dates[0]
    return is_old and values_of(stored.headers, "last-modified") == [condition]


def own_conditions(headers: Headers) -> Headers:
    """Write the conditions that ask a service whether a stored answer is still the present one."""
    asking = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
    return [(asking[name.lower()], value) for name, value in headers if name.lower() in asking]


def is_about(stored: Headers, fresh: Headers) -> bool:
    """Say whether a service's 304 is about the stored answer: with another ETag it is not (RFC 9111 4.3.4)."""
    etags = [_opaque(value) for value in values_of(fresh, "etag")]
    return not etags or etags == [_opaque(value) for value in values_of(stored, "etag")]


def merge_headers(stored: Headers, fresh: Headers) -> Headers:
    """Return a stored head as a service's 304 changes it (RFC 9111 3.2)."""
    changes = [(name, value) for name, value in fresh if name.lower() not in _OF_THE_BODY]
    names = {name.lower() for name, _ in changes} | {"age"}
    return [*((name, value) for name, value in stored if name.lower() not in names), *changes]
