"""What may be stored, how long it is fresh, how old it is, and what an old one may still answer.

Pure rules: RFC 9111 sections 3, 4.2 and 5.2 for a shared cache, stale answers of RFC 5861, ``immutable`` of RFC 8246.
"""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any  # A WSGI environ holds anything.

from gateway.cache.directives import (
    MOST_SECONDS,
    Directives,
    read_cache_control,
    read_date,
    read_targeted,
    seconds_of,
)
from gateway.proxy.request import Headers, values_of

# RFC 9110 15.1.
_HEURISTIC = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
_PARTS = frozenset({206, 304})  # Parts of another answer; we store none.
_UNDERSTOOD = frozenset(map(int, HTTPStatus)) - _PARTS
# Any of these lets a shared cache keep the answer to a request with credentials (RFC 9111 3.5).
_FOR_EVERYBODY = frozenset({"public", "s-maxage", "must-revalidate"})
# s-maxage implies proxy-revalidate (RFC 9111 5.2.2.10).
_NEVER_STALE = frozenset({"must-revalidate", "proxy-revalidate", "s-maxage", "no-cache"})
# The gateway writes these anew for each request, so no second request has the same.
_NEVER_EQUAL = frozenset({"*", "x-request-id", "x-internal-token", "x-forwarded-for", "via"})
_MOST_HEURISTIC_SECONDS = 86_400


@dataclass(frozen=True, kw_only=True)
class Reuse:
    """How a stored answer may be used again; all values are seconds."""

    lifetime: int
    must_validate: bool = False  # Each time.
    may_be_stale: bool = True
    while_revalidate: int = 0  # Beyond the lifetime.
    if_error: int = 0  # Beyond the lifetime.
    is_immutable: bool = False


@dataclass(frozen=True, kw_only=True)
class Demands:
    """What a request asks of a cache (RFC 9111 5.2.1), in seconds."""

    no_store: bool = False
    no_cache: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    min_fresh: int = 0
    max_stale: float = 0


_NO_DEMANDS = Demands()


class Verdict(enum.Enum):
    """What may be done with a stored answer."""

    FRESH = enum.auto()
    STALE = enum.auto()  # It may answer, and is refreshed meanwhile.
    VALIDATE = enum.auto()  # The service must be asked first.


def read_demands(environ: Mapping[str, Any]) -> Demands:
    """Read what a request asks of a cache; Pragma counts only without Cache-Control (RFC 9111 5.4)."""
    text = environ.get("HTTP_CACHE_CONTROL")
    if text is None:
        pragma = environ.get("HTTP_PRAGMA")
        return Demands(no_cache="no-cache" in read_cache_control([pragma])) if pragma else _NO_DEMANDS
    asked = read_cache_control([text])
    max_stale = math.inf if "max-stale" in asked and asked["max-stale"] is None else seconds_of(asked, "max-stale")
    return Demands(
        no_store="no-store" in asked,
        no_cache="no-cache" in asked,
        only_if_cached="only-if-cached" in asked,
        max_age=seconds_of(asked, "max-age"),
        min_fresh=seconds_of(asked, "min-fresh") or 0,
        max_stale=max_stale or 0,
    )


def vary_names(headers: Headers) -> tuple[str, ...]:
    """Return the names in Vary, in lower case and in order."""
    lines = values_of(headers, "vary")
    return tuple(sorted({name.strip().lower() for line in lines for name in line.split(",")} - {""}))


def has_validator(headers: Headers) -> bool:
    """Say whether the service can be asked if a stored answer is still the present one."""
    return any(name.lower() in ("etag", "last-modified") for name, _ in headers)


def reuse_of(
    status: int, headers: Headers, *, received_at: float, has_credentials: bool = False, silent_seconds: int = 0
) -> Reuse | None:
    """Say how the answer to a GET may be stored and used again; None: not at all.

    ``received_at`` is in seconds since 1970. ``has_credentials``: the request came with a token or a session.
    ``silent_seconds`` is the lifetime of an answer that says nothing about caching.
    """
    targeted = read_targeted(values_of(headers, "cdn-cache-control"))
    said = read_cache_control(values_of(headers, "cache-control")) if targeted is None else targeted
    if not _may_store(status, headers, said, has_credentials=has_credentials):
        return None
    lifetime = _explicit_lifetime(headers, said, received_at, is_targeted=targeted is not None)
    if lifetime is None and (status in _HEURISTIC or "public" in said):
        is_silent = not said and not values_of(headers, "expires")
        lifetime = silent_seconds if is_silent and silent_seconds else _heuristic_lifetime(headers, received_at)
    may_be_stale = not said.keys() & _NEVER_STALE
    reuse = Reuse(
        lifetime=lifetime or 0,
        must_validate="no-cache" in said,
        may_be_stale=may_be_stale,
        while_revalidate=(may_be_stale and seconds_of(said, "stale-while-revalidate")) or 0,
        if_error=(may_be_stale and seconds_of(said, "stale-if-error")) or 0,
        is_immutable="immutable" in said,
    )
    return reuse if has_validator(headers) or _is_of_use(reuse) else None


def _may_store(status: int, headers: Headers, said: Directives, *, has_credentials: bool) -> bool:
    is_understood = status in _UNDERSTOOD
    if status < 200 or status in _PARTS or ("must-understand" in said and not is_understood):
        return False
    if "private" in said or ("no-store" in said and "must-understand" not in said):
        return False
    if has_credentials and not said.keys() & _FOR_EVERYBODY:
        return False
    return not values_of(headers, "set-cookie") and not _NEVER_EQUAL.intersection(vary_names(headers))


def _is_of_use(reuse: Reuse) -> bool:
    return not reuse.must_validate and max(reuse.lifetime, reuse.while_revalidate, reuse.if_error) > 0


def _explicit_lifetime(headers: Headers, said: Directives, received_at: float, *, is_targeted: bool) -> int | None:
    for name in ("s-maxage", "max-age"):
        if (seconds := seconds_of(said, name)) is not None:
            return seconds
    expires = values_of(headers, "expires")
    if is_targeted or not expires:
        return None
    end = read_date(expires[0]) if len(expires) == 1 else None
    return 0 if end is None else int(min(max(end - _date(headers, received_at), 0), MOST_SECONDS))


def _heuristic_lifetime(headers: Headers, received_at: float) -> int:
    """Return a tenth of the time since the last change (RFC 9111 4.2.2), a day at most."""
    modified = [read_date(value) for value in values_of(headers, "last-modified")]
    if len(modified) != 1 or modified[0] is None:
        return 0
    return int(min(max(_date(headers, received_at) - modified[0], 0) / 10, _MOST_HEURISTIC_SECONDS))


def _date(headers: Headers, received_at: float) -> float:
    dates = [read_date(value) for value in values_of(headers, "date")]
    return dates[0] if dates and dates[0] is not None else received_at


def initial_age(headers: Headers, *, requested_at: float, received_at: float) -> float:
    """Return how old an answer was when it came, in seconds (RFC 9111 4.2.3); the moments are seconds since 1970.

    Of several values of Age the first counts, and one that is no number counts as absent.
    """
    apparent = max(0.0, int(received_at) - _date(headers, received_at))
    first = ",".join(values_of(headers, "age")).partition(",")[0].strip()
    told = min(int(first[:12]), MOST_SECONDS) if first.isascii() and first.isdigit() else 0
    return max(apparent, told + max(0.0, received_at - requested_at))


def judge(reuse: Reuse, age: float, demands: Demands) -> Verdict:
    """Say whether a stored answer of that age may answer a request (RFC 9111 4.2.4, 5.2.1)."""
    left = reuse.lifetime - age
    if demands.no_cache or reuse.must_validate or (demands.min_fresh and left < demands.min_fresh):
        return Verdict.VALIDATE
    is_fresh = left > 0
    # A reload asks with max-age=0; what is immutable is not asked for again (RFC 8246 2).
    is_unchanging = is_fresh and reuse.is_immutable
    if demands.max_age is not None and age >= demands.max_age and not is_unchanging:
        return Verdict.VALIDATE
    if is_fresh:
        return Verdict.FRESH
    beyond = max(demands.max_stale, reuse.while_revalidate)
    return Verdict.STALE if reuse.may_be_stale and 0 < beyond >= -left else Verdict.VALIDATE


def may_answer_error(reuse: Reuse, age: float, demands: Demands) -> bool:
    """Say whether a stored answer may stand in for an error of the service (RFC 5861 4)."""
    return not demands.no_cache and 0 < reuse.if_error >= age - reuse.lifetime
