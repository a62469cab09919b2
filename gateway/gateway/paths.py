"""Reads the request target and Host of a request, and refuses what two readers could understand differently.

A path is checked on a decoded copy; the bytes that are forwarded are those the client sent.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from chassis.errors import NotFound, RequestRefused
from gateway.rules import Rule, RuleTable

# RFC 3986 without the fragment, and what browsers send unencoded all the same; no backslash, no control bytes.
_TARGET = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/%|^`{}\[\]\"<>]*(?:\?[\x21-\x22\x24-\x5b\x5d-\x7e]*)?")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# An encoded slash or backslash, and encoded control bytes, mean one thing to us and another to the service.
_BAD_ENCODED = re.compile(r"%(?:2f|5c|[01][0-9a-f]|7f)", re.IGNORECASE)
_HOST = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+;=%-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?")


@dataclass(frozen=True)
class Target:
    """``raw`` is what is forwarded; ``path`` is its part before the question mark, as sent."""

    raw: str
    path: str

    @property
    def decoded_path(self) -> str:
        """The path as a service reads it."""
        return _decode(self.path)


def read_target(raw: str) -> Target:
    """Check a request target.

    Raises:
        NotFound: it leads below ``/internal``, in whatever spelling.
        RequestRefused: it is not a plain path with a query, or ambiguous.
    """
    path = raw.partition("?")[0]
    if _is_internal(path):
        raise NotFound
    if not _TARGET.fullmatch(raw) or _BAD_PERCENT.search(path) or _BAD_ENCODED.search(path):
        raise RequestRefused("The path is not acceptable.")
    for segment in _decode(path).split("/"):
        if segment.partition(";")[0] in (".", ".."):
            raise RequestRefused("The path is not acceptable.")
    return Target(raw, path)


def find_rules(table: RuleTable, target: Target) -> dict[str, Rule]:
    """Return the rules of a path by method.

    Raises:
        RequestRefused: some character is encoded without need, so that another rule would hold for the decoded path.
    """
    rules = table.methods(target.path)
    if "%" in target.path and table.methods(target.decoded_path) != rules:
        raise RequestRefused("The path is encoded in an ambiguous way.")
    return rules


def check_host(host: str) -> str:
    """Return a Host header that names one host, with or without a port.

    Raises:
        RequestRefused: missing or malformed.
    """
    if not _HOST.fullmatch(host):
        raise RequestRefused("The Host header is missing or not acceptable.")
    return host


def _decode(path: str) -> str:
    return unquote_to_bytes(path.encode("latin-1")).decode("utf-8", "replace")


def _is_internal(path: str) -> bool:
    previous, decoded = "", path
    while decoded != previous:
        # A server in front or behind may decode once more, so all layers are taken off.
        previous, decoded = decoded, unquote_to_bytes(decoded.encode("utf-8", "replace")).decode("utf-8", "replace")
    segments = [part.partition(";")[0].strip().casefold() for part in decoded.replace("\\", "/").split("/")]
    return next((part for part in segments if part not in ("", ".", "..")), "") == "internal"
