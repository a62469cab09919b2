"""What happens to a request that a rule names: body cap, who sends it, access, limit, the service, the cookies.

The order is fixed: nothing is charged or sent before the sender may do what the rule says.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from structlog.contextvars import bind_contextvars

from chassis.errors import InternalTokenRefused, ServiceRefused, UpstreamUnavailable, XinjingError
from chassis.web import Access
from gateway.answers import Answer, problem_answer
from gateway.bodies import SMALL_BYTES, Body, read_body
from gateway.cookies import SessionCookies, Tokens
from gateway.credentials import Credentials
from gateway.csrf import SameSite
from gateway.headers import answer_headers, request_headers
from gateway.incoming import Incoming
from gateway.limits import AddressLimits
from gateway.refreshing import RefreshBody
from gateway.rules import Effect, Rule, Service
from gateway.sessions import Sessions, Visit
from gateway.upstream import Outgoing, Upstream
from gateway.upstream_answers import UpstreamAnswer

# A service that refuses us has not refused the user: not the client's 401 or 403.
_BETWEEN_SERVICES = tuple(f'"{kind.code}"'.encode() for kind in (InternalTokenRefused, ServiceRefused))


@dataclass(frozen=True)
class Forwarding:
    """Carries requests to the services and their answers back."""

    upstreams: Mapping[Service, Upstream]
    sessions: Sessions
    cookies: SessionCookies
    same_site: SameSite
    limits: AddressLimits
    credentials: Credentials

    def answer(self, rule: Rule, incoming: Incoming, request_id: str) -> Answer:
        """Answer one request; errors of the sender's side and of the service's side become problems.

        Raises:
            XinjingError: what refuses the request before it is known who sends it.
        """
        body = read_body(incoming.environ, cap_bytes=rule.body_cap_bytes)
        visit = self._visit(rule, incoming)
        if visit.identity is not None:
            bind_contextvars(user_id=visit.identity.user_id)
        try:
            visit.require(rule.access)
            if rule.limit is not None:
                self.limits.charge(rule.limit, incoming.client_ip)
            if rule.effect is Effect.REFRESHES:
                body, incoming = RefreshBody(self.cookies, self.same_site).complete(body, incoming)
            answer = self._exchange(rule, incoming, visit, body, request_id)
        except XinjingError as error:
            answer = problem_answer(error)
        # Renewed or cleared cookies belong on refusals too, or the browser would come with the used ones again.
        if not answer.set_cookies:
            answer.set_cookies.extend(visit.set_cookies)
        return answer

    def _visit(self, rule: Rule, incoming: Incoming) -> Visit:
        if rule.effect in (Effect.STARTS, Effect.REFRESHES):
            self.same_site.refuse_other_sites(incoming)
        if rule.access is Access.PUBLIC:
            return Visit()
        return self.sessions.identify(incoming, rule.access)

    def _exchange(self, rule: Rule, incoming: Incoming, visit: Visit, body: Body, request_id: str) -> Answer:
        headers = request_headers(
            incoming,
            internal_token=self.credentials.for_service(rule.service, visit.identity),
            request_id=request_id,
            other_cookies=self.cookies.others(incoming.header("Cookie")),
        )
        outgoing = Outgoing(incoming.method, incoming.target.raw, headers, body)
        received = self.upstreams[rule.service].send(outgoing)
        try:
            answer = self._received(received)
            self._apply_effect(rule, visit, answer)
        except BaseException:
            received.close()
            raise
        return answer

    def _received(self, received: UpstreamAnswer) -> Answer:
        headers = answer_headers(received.headers, status=received.status, strict_transport=self.cookies.is_secure)
        answer = Answer(received.status, headers, received, received.reason)
        # A short answer is read before the status is sent, so that one that breaks off can still become a 502.
        if received.content_length is not None and received.content_length <= SMALL_BYTES:
            text = received.read_whole(SMALL_BYTES)
            if received.status in (401, 403) and any(code in text for code in _BETWEEN_SERVICES):
                raise UpstreamUnavailable("The service does not accept the gateway.")
            answer.body = [text]
        return answer

    def _apply_effect(self, rule: Rule, visit: Visit, answer: Answer) -> None:
        if rule.effect is Effect.NONE:
            return
        if rule.effect is Effect.ENDS:
            if answer.status < 300 and visit.identity is not None:
                self.sessions.end(visit.identity)
                answer.set_cookies.extend(self.cookies.signed_out())
            return
        if answer.status in (200, 201):
            answer.set_cookies.extend(self.cookies.signed_in(self._tokens(answer)))
            if visit.identity is not None:
                self.sessions.end(visit.identity)
        elif rule.effect is Effect.REFRESHES and answer.status == 401:
            answer.set_cookies.extend(self.cookies.signed_out())

    def _tokens(self, answer: Answer) -> Tokens:
        text = b"".join(answer.body)
        answer.body = [text]
        try:
            return Tokens.model_validate_json(text)
        except ValidationError as error:
            raise UpstreamUnavailable("The answer holds no tokens.") from error
