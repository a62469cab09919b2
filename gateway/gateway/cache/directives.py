"""Cache directives as they are written: Cache-Control (RFC 9111 5.2) and CDN-Cache-Control (RFC 9213)."""

import re
from collections.abc import Iterable, Mapping

from werkzeug.http import parse_date

Directives = Mapping[str, str | None]
"""Argument by name in lower case; None: without one. An argument that is not readable stays as it was written."""

# More than this is as good as for ever (RFC 9111 1.2.2).
MOST_SECONDS = 2**31
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
# A name with its argument; else a quoted text or one character, which are skipped.
_MEMBER = re.compile(rf"({_TOKEN})(?:=({_QUOTED})(?=[ \t]*(?:,|$))|([^,]*))|{_QUOTED}|[^,]")
_DIGITS = re.compile(r"[0-9]+")
# RFC 9651 3: a dictionary member, its item or inner list, and parameters.
_KEY = r"[a-z*][a-z0-9_\-.*]*"
_BARE = (
    r'(?:-?[0-9]{1,12}\.[0-9]{1,3}|@?-?[0-9]{1,15}|"(?:[ !#-\[\]-~]|\\["\\])*"|[A-Za-z*][!#$%&\'*+\-.^_`|~:/0-9A-Za-z]*'
    r"|:[A-Za-z0-9+/=]*:|\?[01])"
)
_PARAMETERS = rf"(?:; *{_KEY}(?:={_BARE})?)*"
_INNER_LIST = rf"\( *(?:{_BARE}{_PARAMETERS}(?: +{_BARE}{_PARAMETERS})*)? *\)"
_SF_MEMBER = re.compile(rf"({_KEY})(?:=({_BARE}|{_INNER_LIST}))?{_PARAMETERS}")
_SF_COMMA = re.compile(r"[ \t]*,[ \t]*")
# RFC 9110 5.6.7; what other dates `parse_date` understands, other caches may not.
_HTTP_DATE = re.compile(
    r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT|\w{6,9}, \d\d-\w{3}-\d\d \d\d:\d\d:\d\d GMT"
    r"|\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}",
    re.ASCII,
)


def read_cache_control(lines: Iterable[str]) -> Directives:
    """Read Cache-Control; of a repeated directive the first counts (RFC 9111 4.2.1).

    What is malformed is read as strictly as possible: a directive counts though something odd follows its name, and
    an argument that no number can be read from is 0 seconds (`seconds_of`). Nothing inside of quotes is a directive.
    """
    found: dict[str, str | None] = {}
    for member in _MEMBER.finditer(",".join(lines)):
        name, quoted, rest = member.groups()
        if name is not None:
            argument = quoted[1:-1] if quoted is not None else rest.strip().removeprefix("=") or None
            found.setdefault(name.lower(), argument)
    return found


def read_targeted(lines: Iterable[str]) -> Directives | None:
    """Read CDN-Cache-Control, a dictionary of RFC 9651; None: it is empty or malformed, and counts as absent.

    RFC 9213 2.1. Of a repeated key the last counts; a member that is false is absent.
    """
    text, position = ",".join(lines).strip(" "), 0
    found: dict[str, str | None] = {}
    while member := _SF_MEMBER.match(text, position):
        name, item = member.groups()
        found.pop(name, None)
        if item != "?0":
            found[name] = None if item in (None, "?1") else item
        if member.end() == len(text):
            return found or None
        comma = _SF_COMMA.match(text, member.end())
        if comma is None:
            return None
        position = comma.end()
    return None


def seconds_of(directives: Directives, name: str) -> int | None:
    """Return a directive's seconds; None if it is absent, 0 if they are not readable."""
    if name not in directives:
        return None
    text = directives[name] or ""
    if not _DIGITS.fullmatch(text):
        return 0
    return MOST_SECONDS if len(text) > 10 else min(int(text), MOST_SECONDS)


def read_date(text: str) -> float | None:
    """Return an HTTP date as seconds since 1970, or None."""
    moment = parse_date(text) if _HTTP_DATE.fullmatch(text) else None
    return None if moment is None else moment.timestamp()
