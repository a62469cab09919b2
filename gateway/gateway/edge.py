"""The forwarding plane: a plain WSGI callable in front of the Flask app.

The order for every request: `/internal` and malformed addresses are refused, the rule is found, then `Forwarding`
does the rest. What no rule names goes to the Flask app behind, which answers 404 for what it does not know either.
"""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from structlog import get_logger
from structlog.contextvars import bind_contextvars

from chassis import errors
from chassis.errors import XinjingError
from chassis.metrics import REQUESTS, SECONDS
from chassis.tracing import begin_request
from gateway.answers import Answer, problem_answer
from gateway.forwarding import Forwarding
from gateway.incoming import ENVIRON_KEY, Incoming, Reception, request_id_of
from gateway.paths import find_rules
from gateway.rules import Rule, RuleTable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = get_logger(__name__)
_NO_RULE = "no rule"


class Edge:
    """Answers what a forwarding rule names, and passes on the rest."""

    def __init__(
        self,
        behind: "WSGIApplication",
        *,
        rules: RuleTable,
        reception: Reception,
        forwarding: Forwarding,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._behind = behind
        self._rules = rules
        self._reception = reception
        self._forwarding = forwarding
        self._clock = clock

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        begun_at = self._clock()
        request_id = begin_request(request_id_of(environ))
        rule: Rule | None = None
        try:
            incoming = self._reception.read(environ)
            rule = self._rule(incoming)
            if rule is None:
                environ[ENVIRON_KEY] = incoming
                return self._behind(environ, start_response)
            answer = self._forwarding.answer(rule, incoming, request_id)
        except _MethodRefused as error:
            answer = problem_answer(errors.MethodNotAllowed(), [("Allow", error.allow)])
        except XinjingError as error:
            answer = problem_answer(error)
        except Exception as error:
            log.exception("unexpected_error", exc_info=error)
            answer = problem_answer(errors.InternalError())
        self._observe(environ, rule, answer, self._clock() - begun_at)
        try:
            start_response(answer.status_line, answer.all_headers(request_id))
        except BaseException:
            _close(answer.body)
            raise
        return answer.body

    def _rule(self, incoming: Incoming) -> Rule | None:
        by_method = find_rules(self._rules, incoming.target)
        if not by_method:
            return None
        if incoming.method not in by_method:
            raise _MethodRefused(by_method)
        return by_method[incoming.method]

    def _observe(self, environ: "WSGIEnvironment", rule: Rule | None, answer: Answer, seconds: float) -> None:
        method = str(environ["REQUEST_METHOD"])
        route = rule.name if rule else _NO_RULE
        # A method is the client's text; only those of the rules are labels.
        label = method if rule else "other"
        REQUESTS.labels("gateway", label, route, answer.status).inc()
        SECONDS.labels("gateway", route).observe(seconds)
        bind_contextvars(client_ip=environ.get("REMOTE_ADDR", ""))
        log.info("request", method=method[:16], route=route, status=answer.status, seconds=round(seconds, 6))


class _MethodRefused(Exception):
    """The path is known, with other methods."""

    def __init__(self, methods: Iterable[str]) -> None:
        super().__init__()
        self.allow = ", ".join(sorted(methods))


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()
