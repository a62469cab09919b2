"""Forwards a request that a rule names to its service, and the service's response to the client."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pydantic import ValidationError
from structlog.contextvars import bind_contextvars

from chassis.errors import InternalTokenRefused, ServiceRefused, UpstreamUnavailable, XinjingError
from chassis.web import Access
from gateway.auth.authentication import Authentication, AuthResult
from gateway.auth.cookies import SessionCookies, Tokens
from gateway.auth.csrf import SameSite
from gateway.auth.token_refresh import with_cookie_token
from gateway.cache.cache import MicroCache
from gateway.cache.fetches import Fetch
from gateway.metrics import upstream_seconds
from gateway.proxy.body import SMALL_BYTES, Body, read_body
from gateway.proxy.request import ProxyRequest, request_headers
from gateway.proxy.responses import ProxyResponse, problem_response, response_headers, without_ours
from gateway.proxy.service_identity import ServiceIdentity
from gateway.routing.limits import RequestLimits
from gateway.routing.rules import Effect, Limit, Rule
from gateway.upstreams.upstream import Upstream, UpstreamRequest, UpstreamResponse

# A service that refuses the gateway has not refused the user: the client gets neither this 401 nor this 403.
_BETWEEN_SERVICES = tuple(f'"{kind.code}"'.encode() for kind in (InternalTokenRefused, ServiceRefused))


@dataclass(frozen=True, kw_only=True)
class Forwarder:
    """Forwards a request that a rule names to its service, and the service's response to the client.

    The order is fixed: body cap, who sends it, access, limit, cache, service, cookies. Nothing is charged or sent
    before it is known that the sender may do what the rule says.
    """

    upstreams: Mapping[str, Upstream]
    authentication: Authentication
    cookies: SessionCookies
    same_site: SameSite
    limits: RequestLimits
    service_identity: ServiceIdentity
    cache: MicroCache | None
    clock: Callable[[], float] = time.time

    def forward(self, rule: Rule, request: ProxyRequest, request_id: str) -> ProxyResponse:
        """Answer one request; errors of the sender's side and of the service's side become problems.

        Raises:
            XinjingError: what refuses the request before it is known who sends it.
        """
        body = read_body(request.environ, cap_bytes=rule.body_cap_bytes)
        auth = self._authenticate(rule, request)
        if auth.identity is not None:
            bind_contextvars(user_id=auth.identity.user_id)
        try:
            auth.require(rule.access, role=rule.role, recent_seconds=rule.recent_seconds, now=self.clock())
            self._charge(rule, request, auth)
            if rule.effect is Effect.REFRESHES:
                body, request = with_cookie_token(body, request, self.cookies, self.same_site)
            response = self._exchange(rule, request, auth, body, request_id)
        except XinjingError as error:
            response = problem_response(error)
        # Refreshed or cleared cookies belong on refusals too, or the browser would send the used ones again.
        if not response.set_cookies:
            response.set_cookies.extend(auth.set_cookies)
        return response

    def _authenticate(self, rule: Rule, request: ProxyRequest) -> AuthResult:
        if rule.effect in (Effect.STARTS, Effect.REFRESHES):
            self.same_site.refuse_other_sites(request)
        if rule.access is Access.PUBLIC:
            return AuthResult()
        return self.authentication.authenticate(request, rule.access)

    def _charge(self, rule: Rule, request: ProxyRequest, auth: AuthResult) -> None:
        if isinstance(rule.limit, Limit):
            self.limits.charge(rule.limit, request.client.ip)
        elif rule.limit is not None:
            user_id = auth.identity.user_id if auth.identity else None
            self.limits.charge_route(rule.limit, user_id=user_id, client_ip=request.client.ip)

    def _exchange(
        self, rule: Rule, request: ProxyRequest, auth: AuthResult, body: Body, request_id: str
    ) -> ProxyResponse:
        def write() -> UpstreamRequest:
            headers = request_headers(
                request,
                identity=self.service_identity.headers_for(rule.service, auth.identity),
                request_id=request_id,
                strip_cookies=self.cookies.without_session,
            )
            return UpstreamRequest(request.method, request.target.raw, headers, body)

        if self.cache is not None and rule.is_cacheable and body.is_empty:
            return self.cache.answer(rule, request, Fetch(write, partial(self._send, rule)))
        response = self._send(rule, write())
        try:
            self._apply_effect(rule, request, auth, response)
        except BaseException:
            response.close()
            raise
        if self.cache is not None and request.is_unsafe:
            self.cache.note_change(request, response)
        return response

    def _send(self, rule: Rule, request: UpstreamRequest) -> ProxyResponse:
        with upstream_seconds(rule.service, rule.name).time():
            received = self.upstreams[rule.service].send_request(request)
        try:
            return self._to_response(rule, received)
        except BaseException:
            received.close()
            raise

    def _to_response(self, rule: Rule, received: UpstreamResponse) -> ProxyResponse:
        headers = response_headers(received.headers, status=received.status)
        if not rule.is_ours:
            headers = without_ours(headers, is_of_session=self.cookies.is_of_session)
        response = ProxyResponse(received.status, headers, received, received.reason)
        # A short body is read before the status is sent, so that one that breaks off can still become a 502.
        if received.content_length is not None and received.content_length <= SMALL_BYTES:
            text = received.read_whole(SMALL_BYTES)
            if rule.is_ours and received.status in (401, 403) and any(code in text for code in _BETWEEN_SERVICES):
                raise UpstreamUnavailable("The service does not accept the gateway.")
            response.body = [text]
        else:
            received.await_first()
        return response

    def _apply_effect(self, rule: Rule, request: ProxyRequest, auth: AuthResult, response: ProxyResponse) -> None:
        cookies: list[str] = []
        if rule.effect is Effect.ENDS:
            if response.status < 300 and auth.identity is not None:
                self.authentication.end_session(auth.identity)
                cookies = self.cookies.clear_session(request)
        elif rule.effect is not Effect.NONE and response.status in (200, 201):
            cookies = self.cookies.write_session(_read_tokens(response), request)
            if auth.identity is not None:
                self.authentication.end_session(auth.identity)
        elif rule.effect is Effect.REFRESHES and response.status == 401:
            cookies = self.cookies.clear_session(request)
        if cookies and self.cookies.are_wanted(request) and not self.same_site.is_without_cookies(request):
            response.set_cookies.extend(cookies)


def _read_tokens(response: ProxyResponse) -> Tokens:
    text = b"".join(response.body)
    response.body = [text]
    try:
        return Tokens.model_validate_json(text)
    except ValidationError as error:
        raise UpstreamUnavailable("The answer holds no tokens.") from error
