"""The proxy: a plain WSGI callable in front of the Flask app, which forwards what a rule names.

The order for every request: what the cache knows is answered, ``/internal`` and malformed addresses are refused, the
rule is found, then `Forwarder` sends the request to its service. The Flask app answers what no rule names; it answers
404 for what it does not know.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any  # PEP 3333 leaves open what a server's `start_response` returns.

from structlog import get_logger
from structlog.contextvars import bind_contextvars

from chassis import errors
from chassis.errors import XinjingError
from chassis.identity import GATEWAY
from chassis.metrics import count_request
from chassis.tracing import begin_environ, current_request_id, end_request
from gateway.cache.cache import MicroCache
from gateway.proxy.cors import CrossOrigin
from gateway.proxy.error_pages import ErrorPages
from gateway.proxy.forwarded import TrustedProxies
from gateway.proxy.forwarder import Forwarder
from gateway.proxy.request import ENVIRON_KEY, Headers, ProxyRequest, read_request
from gateway.proxy.responses import (
    ProxyResponse,
    ResponsePolicy,
    problem_response,
    redirect_response,
)
from gateway.routing.rules import Rule, RuleTable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = get_logger(__name__)
_NO_RULE = "no rule"
_FORWARDED_FOR = "HTTP_X_FORWARDED_FOR"


class _MethodRefused(Exception):
    """The path is known, with other methods."""

    def __init__(self, request: ProxyRequest, methods: Iterable[str]) -> None:
        super().__init__()
        self.request = request
        self.methods = sorted(methods)


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """Answers what a rule names through the `Forwarder`, and passes everything else to the Flask app."""

    flask: "WSGIApplication"
    policy: ResponsePolicy
    error_pages: ErrorPages
    rules: RuleTable
    proxies: TrustedProxies
    forwarder: Forwarder
    cache: MicroCache | None
    cross_origin: CrossOrigin | None
    clock: Callable[[], float] = time.perf_counter

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        begun_at = self.clock()
        request_id = begin_environ(environ)
        client = self.proxies.read_client(environ)
        environ[_FORWARDED_FOR] = client.ip  # The Flask app reads it as the services do.
        bind_contextvars(client_ip=client.ip)
        rule: Rule | None = None
        try:
            if self.cache is not None and (recalled := self.cache.recall(environ, client)):
                return self._finish(environ, start_response, *recalled, begun_at=begun_at)
            request = read_request(environ, client)
            rule = self._find_rule(request)
            if rule is not None:
                response = self.forwarder.forward(rule, request, request_id)
            elif (address := self._page_address(request)) is not None:
                response = redirect_response(address)
            else:
                environ[ENVIRON_KEY] = request
                return self.flask(environ, self._completing(environ, start_response))
        except _MethodRefused as error:
            response = self._answer_preflight(error) or problem_response(
                errors.MethodNotAllowed(), [("Allow", ", ".join(error.methods))]
            )
        except XinjingError as error:
            response = problem_response(error)
        except Exception as error:
            log.exception("unexpected_error", exc_info=error)
            response = problem_response(errors.InternalError())
        return self._finish(environ, start_response, rule, response, begun_at=begun_at)

    def _finish(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        rule: Rule | None,
        response: ProxyResponse,
        *,
        begun_at: float,
    ) -> Iterable[bytes]:
        """Log, count and send a response."""
        _log_and_count(environ, rule, response, self.clock() - begun_at)
        try:
            is_error = response.status >= 400
            if is_error and (page := self.error_pages.write_page(environ, response.status, response.headers)):
                response.close()
                response.headers, response.body = page[0], [page[1]]
            headers = response.all_headers(current_request_id())
            if not response.is_complete:
                headers = self.policy.complete(headers, is_own=response.is_own)
            if self.cross_origin is not None:
                headers = self.cross_origin.complete(environ, headers, is_own=response.is_own)
            start_response(response.status_line, headers)
        except BaseException:
            response.close()
            raise
        return response.body

    def _completing(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "StartResponse":
        """Let the Flask app's answers get the headers that every answer has."""

        def start(status: str, headers: Headers, exc_info: Any = None, /) -> Any:
            headers = self.policy.complete(headers, is_own=True)
            if self.cross_origin is not None:
                headers = self.cross_origin.complete(environ, headers, is_own=True)
            return start_response(status, headers, exc_info)

        return start

    def _page_address(self, request: ProxyRequest) -> str | None:
        return self.rules.page_address(request.target) if request.method in ("GET", "HEAD") else None

    def _find_rule(self, request: ProxyRequest) -> Rule | None:
        by_method = self.rules.find_rules(request.target)
        if not by_method:
            return None
        if request.method not in by_method:
            raise _MethodRefused(request, by_method)
        return by_method[request.method]

    def _answer_preflight(self, refused: _MethodRefused) -> ProxyResponse | None:
        """Answer a browser that asks before a call; no rule is for the method OPTIONS."""
        if self.cross_origin is None:
            return None
        return self.cross_origin.answer_preflight(refused.request, refused.methods)


def _log_and_count(environ: "WSGIEnvironment", rule: Rule | None, response: ProxyResponse, seconds: float) -> None:
    method = str(environ["REQUEST_METHOD"])
    route, path = (rule.name, rule.path) if rule else (_NO_RULE, _NO_RULE)
    # A method is the client's text; only those of the rules are labels.
    label = method if rule else "other"
    count_request(seconds, service=GATEWAY, method=label, route=route, status=response.status)
    log.info("request", method=method[:16], route=path, status=response.status, seconds=round(seconds, 4))
    end_request(method=label, route=path, status=response.status, seconds=seconds)
