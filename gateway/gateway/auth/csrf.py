"""Refuses requests that a page of another site makes a browser send with the user's cookies."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from chassis.errors import CrossSiteRefused
from gateway.proxy.request import Origin, ProxyRequest, read_origin


def _no_origin(_: str) -> bool:
    return False


@dataclass(frozen=True)
class SameSite:
    """Distinguishes our own pages from others by ``Sec-Fetch-Site`` (W3C Fetch Metadata) and ``Origin`` (RFC 6454).

    The browser writes both, and no script of a page can set them. No token is needed beside them.

    ``is_bearer_origin`` tells of an ``Origin`` whether its pages may call with bearer tokens, without a cookie session.
    """

    allowed_origins: tuple[str, ...] = ()
    is_bearer_origin: Callable[[str], bool] = _no_origin

    @cached_property
    def _allowed(self) -> frozenset[Origin | None]:
        return frozenset(map(read_origin, self.allowed_origins))

    def require(self, request: ProxyRequest) -> None:
        """Refuse a request with a cookie session unless its headers show that it comes from our pages.

        Raises:
            CrossSiteRefused: the headers name another origin, or none.
        """
        if not self._is_from_our_pages(request):
            raise CrossSiteRefused

    def refuse_other_sites(self, request: ProxyRequest) -> None:
        """Refuse a request if its headers show that it comes from another site.

        For requests that work without a cookie: those that start a session, and the classic calls. A client that sends
        none of the three headers is no browser page, so no cookies were sent without their user's will.

        Raises:
            CrossSiteRefused: the headers name another site.
        """
        headers = [request.header(name) for name in ("Sec-Fetch-Site", "Origin", "Referer")]
        if not any(headers) or self._is_from_our_pages(request) or self.is_without_cookies(request):
            return
        site, origin, referer = headers
        # An address typed by the user has no other origin; an old browser may send the Referer alone.
        if site == "none" or (not site and not origin and read_origin(referer) in request.own_origins):
            return
        raise CrossSiteRefused

    def require_page(self, request: ProxyRequest) -> None:
        """Refuse a request that changes something by GET, unless its headers show that one of our pages sent it.

        Over plain HTTP a browser sends a GET with cookies and without `Origin` and `Sec-Fetch-Site`. Then the Referer
        decides; a page of another site can leave it out, so that a request without it is refused.

        Raises:
            CrossSiteRefused: the headers name another site, or none.
        """
        if not self._is_from_our_pages(request) and read_origin(request.header("Referer")) not in request.own_origins:
            raise CrossSiteRefused

    def is_without_cookies(self, request: ProxyRequest) -> bool:
        """Say whether a page sends this that may use bearer tokens alone: no answer to it starts a cookie session."""
        return self.is_bearer_origin(request.header("Origin")) and not self._is_from_our_pages(request)

    def _is_from_our_pages(self, request: ProxyRequest) -> bool:
        if request.header("Sec-Fetch-Site") == "same-origin":
            return True
        origin = read_origin(request.header("Origin"))  # A client's text; one that is no origin is none of ours.
        return origin is not None and (origin in request.own_origins or origin in self._allowed)
