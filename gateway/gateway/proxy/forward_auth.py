"""Forward authentication: a proxy in front asks at ``/auth`` whether a request to a service of its own may pass.

nginx (``auth_request``), Traefik (ForwardAuth) and Caddy (``forward_auth``) send the head of the request and name its
method and address. The query of ``/auth`` is the proxy's configuration: it says who may pass. What must stand in that
configuration is in ``docs/forward-auth.md``.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import urlencode, urljoin

from flask import Response
from pydantic import BaseModel, ConfigDict, Field
from structlog import get_logger
from structlog.contextvars import bind_contextvars
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from chassis.errors import Forbidden, NotFound, RequestRefused, Unauthenticated, XinjingError
from chassis.problems import prefers_page, problem_response
from chassis.web import Access
from gateway.auth.authentication import Authentication
from gateway.proxy.forwarded import TrustedProxies
from gateway.proxy.request import Origin, ProxyRequest, read_origin
from gateway.proxy.service_identity import ServiceIdentity

log = get_logger(__name__)
_METHOD = re.compile(r"[A-Z-]{1,32}")
# Traefik and Caddy write the former, nginx writes what its configuration says.
_METHOD_HEADERS = ("X-Forwarded-Method", "X-Original-Method")
_ADDRESS_HEADERS = ("X-Forwarded-Uri", "X-Original-URI")


class Policy(BaseModel):
    """Who may pass, from the query of ``/auth``; without a parameter, every signed-in user.

    ``service`` is a service of the routes files, for which the identity is written. With ``redirect`` a person who is
    not signed in is sent to the sign-in page; nginx understands no redirect here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)  # A typing error must not open a door.

    service: str | None = None
    role: str = Field(default="", min_length=1)
    recent_seconds: int = Field(default=0, ge=1)
    redirect: bool = False


@dataclass(frozen=True, kw_only=True)
class ForwardAuth:
    """Decides about requests that a proxy in front describes. ``sign_in_url`` is a path of their host, or an address.

    ``allowed_origins`` are those to which the sign-in page may lead people back, beside its own.
    """

    authentication: Authentication
    service_identity: ServiceIdentity
    proxies: TrustedProxies
    sign_in_url: str
    allowed_origins: tuple[str, ...] = ()
    clock: Callable[[], float] = time.time

    def answer(self, request: ProxyRequest, policy: Policy) -> Response:
        """Answer 204 with the identity, 401 or 403 with a problem, or 302 to the sign-in page.

        Raises:
            Forbidden: the sender is no proxy that we trust.
            RequestRefused: the proxy does not name one method and one address.
            NotFound: the policy names a service that no routes file has.
            XinjingError: what `Authentication.authenticate` raises.
        """
        if not self.proxies.is_proxy(request.environ):
            log.warning("forward_auth_refused", reason="untrusted", client_ip=request.client.ip)
            raise Forbidden("Only proxies in GATEWAY_TRUSTED_PROXIES may ask here.")
        if policy.service is not None and policy.service not in self.service_identity.forms:
            raise NotFound("No routes file has a service of this name.")
        original = replace(request, method=_method_of(request))
        address = _one_value(request, _ADDRESS_HEADERS)
        auth = self.authentication.authenticate(original, Access.SIGNED_IN)
        if auth.identity is not None:
            bind_contextvars(user_id=auth.identity.user_id)
        try:
            auth.require(Access.SIGNED_IN, role=policy.role, recent_seconds=policy.recent_seconds, now=self.clock())
            response = Response(status=204)
            if policy.service is not None:
                response.headers.extend(self.service_identity.headers_for(policy.service, auth.identity))
        except Unauthenticated as error:
            is_led = policy.redirect and _is_navigation(original)
            response = self._redirect(original, address) if is_led else problem_response(error)
        except XinjingError as error:
            response = problem_response(error)
        response.headers.extend([("Set-Cookie", cookie) for cookie in auth.set_cookies])
        response.headers["Cache-Control"] = "no-store"
        return response

    @cached_property
    def _allowed(self) -> frozenset[Origin | None]:
        return frozenset(map(read_origin, self.allowed_origins))

    def _redirect(self, request: ProxyRequest, address: str) -> Response:
        """Lead to the sign-in page by its whole address: Traefik would complete a path with our own host."""
        here = f"{request.client.scheme}://{request.client.host}"
        page = urljoin(here, self.sign_in_url)
        query = {"login": "1"}
        origin = read_origin(here)
        # The slash ends the host, so nothing in the address can name another one.
        if address.startswith("/") and origin and (origin == read_origin(page) or origin in self._allowed):
            query["next"] = here + address
        return Response(status=302, headers={"Location": f"{page}?{urlencode(query)}"})


def _method_of(request: ProxyRequest) -> str:
    """Return the method of the request that the proxy describes. Without it, a POST could pass as a GET."""
    method = _one_value(request, _METHOD_HEADERS)
    if not _METHOD.fullmatch(method):
        raise RequestRefused("The proxy must name the method: X-Forwarded-Method or X-Original-Method.")
    return method


def _one_value(request: ProxyRequest, names: tuple[str, ...]) -> str:
    """Return what the proxy writes under one of the names; the other may be what a client wrote."""
    values = {value for name in names if (value := request.header(name))}
    if len(values) > 1:
        raise RequestRefused(f"{' and '.join(names)} differ: let the proxy remove the one that it does not write.")
    return values.pop() if values else ""


def _is_navigation(request: ProxyRequest) -> bool:
    """Say whether a person opens an address with a browser. A program with a token gets its 401."""
    if request.method not in ("GET", "HEAD") or request.header("Authorization"):
        return False
    mode = request.header("Sec-Fetch-Mode")
    if mode:
        return mode == "navigate"
    return prefers_page(parse_accept_header(request.header("Accept"), MIMEAccept))
