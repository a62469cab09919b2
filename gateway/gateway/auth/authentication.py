"""Who sends a request: bearer token or cookies, revocation, CSRF, and the refresh of a cookie session on the way."""

import re
from dataclasses import dataclass

from chassis.errors import (
    DependencyUnavailable,
    Forbidden,
    StepUpRequired,
    Unauthenticated,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from chassis.identity import has_role
from chassis.web import Access
from gateway.auth.cookies import CookieSession, SessionCookies
from gateway.auth.csrf import SameSite
from gateway.auth.revocations import Revocations
from gateway.auth.token_refresh import RefreshRefused, TokenRefresh
from gateway.auth.verifier import Identity, IssuedInFuture, TokenVerifier
from gateway.proxy.request import ProxyRequest

_BEARER = re.compile(r"Bearer +(\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class AuthResult:
    """What is known of the sender. ``set_cookies`` must stand on the response, also on one that refuses."""

    identity: Identity | None = None
    set_cookies: tuple[str, ...] = ()

    def require(self, access: Access, *, role: str = "", recent_seconds: int = 0, now: float = 0) -> None:
        """Check that the sender may call a rule with that access.

        Beside the access a rule can ask for a ``role``, and for a sign-in at most ``recent_seconds`` (0: any) before
        ``now``, which is in Unix seconds.

        Raises:
            Unauthenticated: nobody is signed in.
            Forbidden: the user does not have the role.
            StepUpRequired: the user authenticated too long ago.
        """
        if access in (Access.PUBLIC, Access.OPTIONAL):
            return
        if self.identity is None:
            raise Unauthenticated
        if not all(has_role(self.identity.roles, needed) for needed in (access.role, role) if needed):
            raise Forbidden
        if recent_seconds and now - self.identity.auth_time > recent_seconds:
            raise StepUpRequired(max_age_seconds=recent_seconds)


@dataclass(frozen=True, kw_only=True)
class Authentication:
    """Identifies the sender of a request."""

    verifier: TokenVerifier
    revocations: Revocations
    token_refresh: TokenRefresh
    cookies: SessionCookies
    same_site: SameSite

    def authenticate(self, request: ProxyRequest, access: Access, *, is_checked_for_csrf: bool = False) -> AuthResult:
        """Return who sends a request to a rule with that access.

        A bearer token wins over cookies, which are then neither read nor asked for their origin: a client with a
        cookie jar sends cookies without meaning to. A wrong bearer token is an error, with cookies beside it too. A
        cookie session that is over counts as signed out.

        Raises:
            Unauthenticated: the bearer token is not acceptable.
            CrossSiteRefused: an unsafe request with cookies that does not come from our pages.
            DependencyUnavailable: keys or revocations are not known.
        """
        authorization = request.header("Authorization")
        if authorization:
            return AuthResult(self._by_bearer(authorization, request))
        session = self.cookies.read_session(request.header("Cookie"))
        if not session.is_present:
            return AuthResult()
        if request.is_unsafe and not is_checked_for_csrf:
            self.same_site.require(request)
        try:
            return self._by_cookies(session, request)
        except (DependencyUnavailable, UpstreamUnavailable, UpstreamTimeout):
            if access is Access.OPTIONAL and not request.is_unsafe:
                return AuthResult()  # While user-service is away, no session is refreshed: people read signed out.
            raise

    def end_session(self, identity: Identity) -> None:
        """Refuse a session from now on, in this process at once."""
        self.revocations.end_session(identity.session_id)

    def _by_bearer(self, authorization: str, request: ProxyRequest) -> Identity:
        bearer = _BEARER.fullmatch(authorization)
        if not bearer:
            raise Unauthenticated
        return self._valid_identity(bearer[1], request)

    def _by_cookies(self, session: CookieSession, request: ProxyRequest) -> AuthResult:
        if session.access_token:
            try:
                return AuthResult(self._valid_identity(session.access_token, request))
            except IssuedInFuture:
                return AuthResult()  # The clocks are wrong, not the session. A new token would be refused as well.
            except Unauthenticated:
                pass  # Expired, revoked or garbled: the refresh token decides.
        if not session.refresh_token:
            return AuthResult(None, tuple(self.cookies.clear_session(request)))
        try:
            tokens = self.token_refresh.refresh(session.refresh_token, request)
        except RefreshRefused:
            return AuthResult(None, tuple(self.cookies.clear_session(request)))
        cookies = tuple(self.cookies.write_session(tokens, request))
        try:
            return AuthResult(self._valid_identity(tokens.access_token, request), cookies)
        except Unauthenticated:
            return AuthResult(None, cookies)  # Clocks again, or a session that ended this moment.

    def _valid_identity(self, token: str, request: ProxyRequest) -> Identity:
        identity = self.verifier.verify_token(token)
        self.revocations.check_identity(identity, is_unsafe=request.is_unsafe)
        return identity
