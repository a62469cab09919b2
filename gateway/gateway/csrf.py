"""Refuses requests that another site's page makes a browser send with its user's cookies."""

from urllib.parse import urlsplit

from chassis.errors import CrossSiteRefused
from gateway.incoming import Incoming


class SameSite:
    """Tells our own pages from others by ``Sec-Fetch-Site`` (W3C Fetch Metadata) and ``Origin`` (RFC 6454).

    Both are written by the browser and cannot be set by a page's script. No token is needed beside them.
    """

    def __init__(self, allowed_origins: tuple[str, ...] = ()) -> None:
        self._allowed = frozenset(origin.lower() for origin in allowed_origins)

    def require(self, incoming: Incoming) -> None:
        """Let a request with a cookie session pass if it shows that it comes from our pages.

        Raises:
            CrossSiteRefused: it shows another origin, or none.
        """
        if not self._comes_from_us(incoming):
            raise CrossSiteRefused

    def refuse_other_sites(self, incoming: Incoming) -> None:
        """Let a request pass unless it shows that it comes from elsewhere.

        For requests that need no cookie to do their work: starting a session, and the classic calls. A client that
        sends none of the three headers is no browser page, so nobody's cookies come along without their will.

        Raises:
            CrossSiteRefused: the headers name another site.
        """
        shown = [incoming.header(name) for name in ("Sec-Fetch-Site", "Origin", "Referer")]
        if not any(shown) or self._comes_from_us(incoming):
            return
        site, origin, referer = shown
        # An address typed by the user has no other origin; an old browser may send the Referer alone.
        if site == "none" or (not site and not origin and _origin_of(referer) == incoming.own_origin):
            return
        raise CrossSiteRefused

    def _comes_from_us(self, incoming: Incoming) -> bool:
        origin = incoming.header("Origin").lower()
        return (
            incoming.header("Sec-Fetch-Site") == "same-origin"
            or origin == incoming.own_origin
            or origin in self._allowed
        )


def _origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}".lower()
