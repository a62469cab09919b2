"""The body of ``POST /api/v1/tokens/refresh`` for a browser, which holds its refresh token in a cookie only."""

import json
from dataclasses import dataclass, replace

from gateway.bodies import Body
from gateway.cookies import SessionCookies
from gateway.csrf import SameSite
from gateway.incoming import Incoming

_EMPTY = (b"", b"{}")


@dataclass(frozen=True)
class RefreshBody:
    """Puts the cookie's token where an app would have put it."""

    cookies: SessionCookies
    same_site: SameSite

    def complete(self, body: Body, incoming: Incoming) -> tuple[Body, Incoming]:
        """Return the body to send, and the request with the content type that goes with it.

        A body that says something is passed on as it is; the cookie is then not looked at.

        Raises:
            CrossSiteRefused: the cookie would be used, and the request does not come from our pages.
        """
        token = self.cookies.read(incoming.header("Cookie")).refresh_token
        if not token or not isinstance(body.chunks, bytes) or body.chunks.strip() not in _EMPTY:
            return body, incoming
        self.same_site.require(incoming)
        text = json.dumps({"refresh_token": token}).encode()
        environ = {**incoming.environ, "CONTENT_TYPE": "application/json"}
        return Body(text, len(text)), replace(incoming, environ=environ)
