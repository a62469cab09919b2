"""How each service learns who sends a request: ours by an internal token, the operator's as their routes file says."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.identity import GATEWAY, INTERNAL_TOKEN_HEADER, Caller, InternalTokens
from gateway.auth.token_cache import TokenCache
from gateway.auth.verifier import Identity
from gateway.proxy.request import IDENTITY_HEADER, Headers
from gateway.routing.rules import OUR_SERVICES
from gateway.routing.schema import IdentityForm


@dataclass(frozen=True)
class ServiceIdentity:
    """Writes the headers that name the sender. ``forms`` are those of the operator's services, by name.

    An internal token opens every service of ours to its bearer, so none of them goes to a service of the operator.
    """

    internal_tokens: TokenCache[Identity | None]
    identity_tokens: TokenCache[Identity]
    forms: Mapping[str, IdentityForm]

    def headers_for(self, service: str, identity: Identity | None) -> Headers:
        """Return the headers for a service; a service of the operator gets none, if nobody is signed in."""
        if service in OUR_SERVICES:
            return [(INTERNAL_TOKEN_HEADER, self.internal_tokens.token_for(service, identity))]
        form = self.forms[service]
        if identity is None or form is IdentityForm.NONE:
            return []
        if form is IdentityForm.TOKEN:
            return [(IDENTITY_HEADER, self.identity_tokens.token_for(service, identity))]
        return [("X-User-Id", str(identity.user_id)), ("X-User-Roles", ",".join(sorted(identity.roles)))]


def write_internal_token(tokens: InternalTokens, service: str, identity: Identity | None) -> str:
    """Write an internal token for a service of ours, in the name of a user or of the gateway alone."""
    return tokens.write_token(identity.caller if identity else Caller(GATEWAY), audience=service)
