"""Who sends a request: bearer token or cookies, revocation, CSRF, and the silent renewal of a cookie session."""

import re
from dataclasses import dataclass

from chassis.errors import Forbidden, RequestRefused, Unauthenticated, UpstreamTimeout, UpstreamUnavailable
from chassis.web import Access
from gateway.cookies import SessionCookies, SessionPair
from gateway.csrf import SameSite
from gateway.incoming import Incoming
from gateway.renewals import RefreshRefused, Renewals
from gateway.revocations import Revocations
from gateway.verifier import Identity, TokenVerifier

_BEARER = re.compile(r"Bearer +(\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Visit:
    """What is known of the sender. ``set_cookies`` must stand on the answer, also on one that refuses."""

    identity: Identity | None = None
    set_cookies: tuple[str, ...] = ()

    def require(self, access: Access) -> None:
        """Let the visit pass if a rule lets it.

        Raises:
            Unauthenticated: nobody is signed in.
            Forbidden: the user is no admin.
        """
        if access in (Access.SIGNED_IN, Access.ADMIN) and self.identity is None:
            raise Unauthenticated
        if access is Access.ADMIN and self.identity is not None and "admin" not in self.identity.roles:
            raise Forbidden


class Sessions:
    """Identifies the sender of a request, as far as its rule asks for it."""

    def __init__(
        self,
        *,
        verifier: TokenVerifier,
        revocations: Revocations,
        renewals: Renewals,
        cookies: SessionCookies,
        same_site: SameSite,
    ) -> None:
        self._verifier = verifier
        self._revocations = revocations
        self._renewals = renewals
        self._cookies = cookies
        self._same_site = same_site

    def identify(self, incoming: Incoming, access: Access, *, is_checked_for_csrf: bool = False) -> Visit:
        """Return who sends the request to a rule with that access.

        A wrong bearer token is an error, a dead cookie session is a signed-out visit.

        Raises:
            Unauthenticated: the bearer token is not acceptable.
            RequestRefused: bearer token and cookies name two sessions.
            CrossSiteRefused: an unsafe request with cookies that does not come from our pages.
            DependencyUnavailable: keys or revocations are not known.
        """
        pair = self._cookies.read(incoming.header("Cookie"))
        authorization = incoming.header("Authorization")
        if authorization and pair.is_present:
            raise RequestRefused("Send a bearer token or session cookies, not both.")
        if authorization:
            return Visit(self._by_bearer(authorization, incoming))
        if not pair.is_present:
            return Visit()
        if incoming.is_unsafe and not is_checked_for_csrf:
            self._same_site.require(incoming)
        try:
            return self._by_cookies(pair, incoming)
        except (UpstreamUnavailable, UpstreamTimeout):
            if access is Access.OPTIONAL and not incoming.is_unsafe:
                return Visit()  # While user-service is away, its renewal fails, and reading goes on signed out.
            raise

    def end(self, identity: Identity) -> None:
        """Refuse a session from now on, in this process at once."""
        self._revocations.end_session(identity.session_id)

    def _by_bearer(self, authorization: str, incoming: Incoming) -> Identity:
        found = _BEARER.fullmatch(authorization)
        if not found:
            raise Unauthenticated
        return self._living(found[1], incoming)

    def _by_cookies(self, pair: SessionPair, incoming: Incoming) -> Visit:
        if pair.access_token:
            try:
                return Visit(self._living(pair.access_token, incoming))
            except Unauthenticated:
                pass  # Expired, revoked or garbled: the refresh token decides.
        if not pair.refresh_token:
            return Visit(None, tuple(self._cookies.signed_out()))
        try:
            tokens = self._renewals.renew(pair.refresh_token, incoming)
            return Visit(self._living(tokens.access_token, incoming), tuple(self._cookies.signed_in(tokens)))
        except (RefreshRefused, Unauthenticated):
            return Visit(None, tuple(self._cookies.signed_out()))

    def _living(self, token: str, incoming: Incoming) -> Identity:
        identity = self._verifier.verify(token)
        self._revocations.check(identity, is_unsafe=incoming.is_unsafe)
        return identity
