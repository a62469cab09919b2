"""The proxy: a plain WSGI callable in front of the Flask app, which forwards what a rule names.

The order for every request: ``/internal`` and malformed addresses are refused, the rule is found, then `Forwarder`
sends the request to its service. The Flask app answers what no rule names; it answers 404 for what it does not know.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any  # PEP 3333 leaves open what a server's `start_response` returns.

from pydantic import ValidationError
from structlog import get_logger
from structlog.contextvars import bind_contextvars

from chassis import errors
from chassis.errors import InternalTokenRefused, ServiceRefused, UpstreamUnavailable, XinjingError
from chassis.identity import GATEWAY, LIFETIME_SECONDS, Caller, InternalTokens
from chassis.metrics import count_request
from chassis.tracing import begin_request, current_request_id
from chassis.web import Access
from gateway.authentication import Authentication, AuthResult
from gateway.cookies import SessionCookies, Tokens
from gateway.csrf import SameSite
from gateway.error_pages import ErrorPages
from gateway.forwarded import TrustedProxies
from gateway.limits import AddressLimits
from gateway.proxy_request import (
    ENVIRON_KEY,
    SMALL_BYTES,
    Body,
    Headers,
    ProxyRequest,
    read_body,
    read_request,
    request_headers,
    request_id_of,
)
from gateway.responses import (
    ProxyResponse,
    ResponsePolicy,
    problem_response,
    redirect_response,
    response_headers,
)
from gateway.rules import Effect, Rule, RuleTable, Service
from gateway.token_refresh import with_cookie_token
from gateway.upstream import Upstream, UpstreamRequest, UpstreamResponse
from gateway.verifier import Identity

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = get_logger(__name__)
_NO_RULE = "no rule"
_FORWARDED_FOR = "HTTP_X_FORWARDED_FOR"
# A service that refuses the gateway has not refused the user: the client gets neither this 401 nor this 403.
_BETWEEN_SERVICES = tuple(f'"{kind.code}"'.encode() for kind in (InternalTokenRefused, ServiceRefused))
_REUSE_SECONDS = LIFETIME_SECONDS / 2


class _MethodRefused(Exception):
    """The path is known, with other methods."""

    def __init__(self, methods: Iterable[str]) -> None:
        super().__init__()
        self.allow = ", ".join(sorted(methods))


class InternalTokenCache:
    """Writes an internal token once per session and service, and reuses it for half of its life.

    Threads share this; at worst a token is written twice.
    """

    def __init__(
        self, tokens: InternalTokens, *, cached_tokens: int = 20_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tokens = tokens
        self._cached_tokens = cached_tokens
        self._clock = clock
        self._cache: dict[tuple[str, Identity | None], tuple[str, float]] = {}

    def token_for(self, service: str, identity: Identity | None) -> str:
        """Return a token for one service in the name of a user, or of nobody."""
        known = self._cache.get((service, identity))
        if known is not None and known[1] > self._clock():
            return known[0]
        if len(self._cache) >= self._cached_tokens:
            self._cache = {}
        token = self._tokens.write_token(identity.caller if identity else Caller(GATEWAY), audience=service)
        self._cache[service, identity] = (token, self._clock() + _REUSE_SECONDS)
        return token


@dataclass(frozen=True, kw_only=True)
class Forwarder:
    """Forwards a request that a rule names to its service, and the service's response to the client.

    The order is fixed: body cap, who sends it, access, limit, service, cookies. Nothing is charged or sent before it
    is known that the sender may do what the rule says.
    """

    upstreams: Mapping[Service, Upstream]
    authentication: Authentication
    cookies: SessionCookies
    same_site: SameSite
    limits: AddressLimits
    internal_tokens: InternalTokenCache

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
            auth.require(rule.access)
            if rule.limit is not None:
                self.limits.charge(rule.limit, request.client.ip)
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

    def _exchange(
        self, rule: Rule, request: ProxyRequest, auth: AuthResult, body: Body, request_id: str
    ) -> ProxyResponse:
        headers = request_headers(
            request,
            internal_token=self.internal_tokens.token_for(rule.service, auth.identity),
            request_id=request_id,
            strip_cookies=self.cookies.without_session,
        )
        upstream_request = UpstreamRequest(request.method, request.target.raw, headers, body)
        received = self.upstreams[rule.service].send_request(upstream_request)
        try:
            response = self._to_response(received)
            self._apply_effect(rule, request, auth, response)
        except BaseException:
            received.close()
            raise
        return response

    def _to_response(self, received: UpstreamResponse) -> ProxyResponse:
        headers = response_headers(received.headers, status=received.status)
        response = ProxyResponse(received.status, headers, received, received.reason)
        # A short body is read before the status is sent, so that one that breaks off can still become a 502.
        if received.content_length is not None and received.content_length <= SMALL_BYTES:
            text = received.read_whole(SMALL_BYTES)
            if received.status in (401, 403) and any(code in text for code in _BETWEEN_SERVICES):
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
        if cookies and self.cookies.are_wanted(request):
            response.set_cookies.extend(cookies)


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """Answers what a rule names through the `Forwarder`, and passes everything else to the Flask app."""

    flask: "WSGIApplication"
    policy: ResponsePolicy
    error_pages: ErrorPages
    rules: RuleTable
    proxies: TrustedProxies
    forwarder: Forwarder
    clock: Callable[[], float] = time.perf_counter

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        begun_at = self.clock()
        request_id = begin_request(request_id_of(environ))
        client = self.proxies.read_client(environ)
        environ[_FORWARDED_FOR] = client.ip  # The Flask app reads it as the services do.
        bind_contextvars(client_ip=client.ip)
        rule: Rule | None = None
        try:
            request = read_request(environ, client)
            rule = self._find_rule(request)
            if rule is not None:
                response = self.forwarder.forward(rule, request, request_id)
            elif (address := self._page_address(request)) is not None:
                response = redirect_response(address)
            else:
                environ[ENVIRON_KEY] = request
                return self.flask(environ, self._completing(start_response))
        except _MethodRefused as error:
            response = problem_response(errors.MethodNotAllowed(), [("Allow", error.allow)])
        except XinjingError as error:
            response = problem_response(error)
        except Exception as error:
            log.exception("unexpected_error", exc_info=error)
            response = problem_response(errors.InternalError())
        _log_and_count(environ, rule, response, self.clock() - begun_at)
        return self._send(response, environ, start_response)

    def _send(
        self, response: ProxyResponse, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        try:
            is_error = response.status >= 400
            if is_error and (page := self.error_pages.write_page(environ, response.status, response.headers)):
                response.headers, response.body = page[0], [page[1]]
            headers = self.policy.complete(response.all_headers(current_request_id()), is_own=response.is_own)
            start_response(response.status_line, headers)
        except BaseException:
            response.close()
            raise
        return response.body

    def _completing(self, start_response: "StartResponse") -> "StartResponse":
        """Let the Flask app's answers get the headers that every answer has."""

        def start(status: str, headers: Headers, exc_info: Any = None, /) -> Any:
            return start_response(status, self.policy.complete(headers, is_own=True), exc_info)

        return start

    def _page_address(self, request: ProxyRequest) -> str | None:
        return self.rules.page_address(request.target) if request.method in ("GET", "HEAD") else None

    def _find_rule(self, request: ProxyRequest) -> Rule | None:
        by_method = self.rules.find_rules(request.target)
        if not by_method:
            return None
        if request.method not in by_method:
            raise _MethodRefused(by_method)
        return by_method[request.method]


def _read_tokens(response: ProxyResponse) -> Tokens:
    text = b"".join(response.body)
    response.body = [text]
    try:
        return Tokens.model_validate_json(text)
    except ValidationError as error:
        raise UpstreamUnavailable("The answer holds no tokens.") from error


def _log_and_count(environ: "WSGIEnvironment", rule: Rule | None, response: ProxyResponse, seconds: float) -> None:
    method = str(environ["REQUEST_METHOD"])
    route, path = (rule.name, rule.path) if rule else (_NO_RULE, _NO_RULE)
    # A method is the client's text; only those of the rules are labels.
    label = method if rule else "other"
    count_request(seconds, service=GATEWAY, method=label, route=route, status=response.status)
    log.info("request", method=method[:16], route=path, status=response.status, seconds=round(seconds, 4))
