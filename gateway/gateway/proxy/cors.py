"""Lets pages of other origins call the API (Fetch standard, 3.2): preflights, and the headers that browsers look for.

A page of a listed origin signs in and calls with bearer tokens. Cookie sessions are for origins that are also in
``GATEWAY_ALLOWED_ORIGINS``: only they are told that credentials are allowed. An origin that is not listed gets no
header at all.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from gateway.proxy.request import Headers, ProxyRequest, read_origin
from gateway.proxy.responses import ProxyResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ANY_ORIGIN = "*"
PREFLIGHT_SECONDS = 7200  # Chromium keeps a preflight no longer.
_EXPOSED = "Age, Cache-Status, ETag, Link, Location, Retry-After, WWW-Authenticate, X-Request-Id"
_ASKED_HEADERS = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~ \t,-]{1,2000}")
_DEFAULT_PORTS = {("http", 80), ("https", 443)}


def write_origin(address: str) -> str:
    """Write the origin of an address as browsers write it (RFC 6454 6.2), or an empty text if it has none."""
    origin = read_origin(address)
    if origin is None:
        return ""
    scheme, host, port = origin
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}" if (scheme, port) in _DEFAULT_PORTS else f"{scheme}://{name}:{port}"


class CrossOrigin:
    """Decides by the ``Origin`` of a request. ``origins`` are exact, or `ANY_ORIGIN` alone, which allows no cookies."""

    def __init__(self, origins: Iterable[str], with_cookies: Iterable[str] = ()) -> None:
        listed = tuple(origins)
        self.is_for_all = ANY_ORIGIN in listed
        self._origins = frozenset(map(write_origin, listed)) - {""}
        self._with_cookies = self._origins & frozenset(map(write_origin, with_cookies))

    def allows(self, origin: str) -> bool:
        """Say whether pages of an origin may read answers; no page has the origin of an empty text."""
        return origin != "" and (self.is_for_all or origin in self._origins)

    def answer_preflight(self, request: ProxyRequest, methods: Iterable[str]) -> ProxyResponse | None:
        """Answer what a browser asks before a call, from the methods of the path's rules; no service hears of it.

        None: the request is no preflight, or its origin is not listed.
        """
        is_preflight = request.method == "OPTIONS" and request.header("Access-Control-Request-Method") != ""
        if not is_preflight or not self.allows(request.header("Origin")):
            return None
        headers = [
            ("Access-Control-Allow-Methods", ", ".join(methods)),
            ("Access-Control-Max-Age", str(PREFLIGHT_SECONDS)),
            ("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers"),
            ("Content-Length", "0"),
        ]
        asked = request.header("Access-Control-Request-Headers")
        if _ASKED_HEADERS.fullmatch(asked):
            headers.append(("Access-Control-Allow-Headers", asked))
        return ProxyResponse(204, headers, [], is_own=True)

    def complete(self, environ: "WSGIEnvironment", headers: Headers, *, is_own: bool) -> Headers:
        """Add what a browser looks for, in place of what a service says about other origins."""
        if not is_own:
            headers = [line for line in headers if not line[0].lower().startswith("access-control-")]
        if self.is_for_all:
            return [*headers, ("Access-Control-Allow-Origin", ANY_ORIGIN), ("Access-Control-Expose-Headers", _EXPOSED)]
        origin = environ.get("HTTP_ORIGIN", "")
        headers = [*headers, ("Vary", "Origin")]
        if origin not in self._origins:
            return headers
        headers += [("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", _EXPOSED)]
        return [*headers, ("Access-Control-Allow-Credentials", "true")] if origin in self._with_cookies else headers
