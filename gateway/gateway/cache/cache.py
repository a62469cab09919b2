"""The order in which a read is answered: from the store, stale while a thread refreshes it, or by the service.

Only GET and HEAD of rules without an effect take part, for readers that are not signed in. Of a PUBLIC rule, a
request with credentials takes part too: the gateway takes them off, so the service answers everybody alike; of such a
request only an answer that says that it is for everybody is stored (RFC 9111 3.5). Of an OPTIONAL rule, a request with
credentials passes the cache by in both directions.

Known weakness: each worker process has its own store, so a change drops what its own process stored. The others answer
what they have until it expires; lifetimes are seconds for that reason.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from structlog.contextvars import bind_contextvars

from chassis.errors import UpstreamTimeout, XinjingError
from chassis.tracing import begin_request, current_request_id, trace_headers
from chassis.web import Access
from gateway.auth.cookies import SessionCookies
from gateway.cache.answers import RecordedBody, Result, status_line, stored_response
from gateway.cache.fetches import Answered, Fetch, Fetches, Read, variant_value
from gateway.cache.fills import WAIT_SECONDS, Fill, Fills, RefreshPool, Variant
from gateway.cache.freshness import Demands, Verdict, judge, may_answer_error, read_demands
from gateway.cache.store import Entry, Key, Store
from gateway.metrics import CACHE_REQUESTS
from gateway.proxy.forwarded import Client
from gateway.proxy.request import ProxyRequest, values_of
from gateway.proxy.responses import ProxyResponse, ResponsePolicy
from gateway.routing.rules import Rule

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_COUNTERS = {result: CACHE_REQUESTS.labels(result) for result in Result}
# Preconditions that the service must decide (RFC 9110 13.1.1, 13.1.4).
_FOR_THE_SERVICE = frozenset({"HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE"})
# A request with any of these has credentials, a body, or wishes that `recall` does not know.
_LOOK_CLOSER = _FOR_THE_SERVICE | {
    *("HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_CACHE_CONTROL", "HTTP_PRAGMA", "HTTP_RANGE"),
    *("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"),
}
_MOST_WAITS = 2


class MicroCache:
    """Answers reads from stored answers where RFC 9111 allows it. Threads share it."""

    def __init__(
        self,
        *,
        most_bytes: int,
        cookies: SessionCookies,
        policy: ResponsePolicy,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.refreshes = RefreshPool()
        self._cookies = cookies
        self._clock = clock
        self._store, self._fills = Store(most_bytes), Fills(clock=clock)
        self._fetches = Fetches(store=self._store, fills=self._fills, policy=policy, clock=clock, wall_clock=wall_clock)

    def recall(self, environ: "WSGIEnvironment", client: Client) -> tuple[Rule, ProxyResponse] | None:
        """Answer a read that was answered before and asks for nothing else, from a fresh entry, with its rule.

        It has no credentials, and its host and its target were found acceptable when the entry was stored; so nothing
        but this entry could answer it, and the rest of the way is spared. None: somebody must look closer.
        """
        if environ["REQUEST_METHOD"] != "GET" or not _LOOK_CLOSER.isdisjoint(environ):
            return None
        key = Key(client.scheme, client.host.lower(), environ.get("RAW_URI", ""))
        entry = self._store.find(key, lambda name: variant_value(environ, name, self._cookies.without_session))
        if entry is None or entry.reuse.must_validate or entry.rule.limit is not None:
            return None
        age = self._clock() - entry.born_at
        if age >= entry.reuse.lifetime:
            return None
        _COUNTERS[Result.HIT].inc()
        bind_contextvars(cache=Result.HIT.value)
        status = f"hit; ttl={int(entry.reuse.lifetime - age)}"
        return entry.rule, stored_response(entry, environ, age=age, status=status)

    def answer(self, rule: Rule, request: ProxyRequest, fetch: Fetch) -> ProxyResponse:
        """Answer one read of a rule that is cacheable.

        Raises:
            UpstreamTimeout: the request says ``only-if-cached``, and nothing is stored that may answer it.
            XinjingError: what ``fetch`` raises, if nothing stored may stand in.
        """
        result = Result.MISS  # Also if nobody can answer.
        try:
            result, response = self._answer(rule, self._read(rule, request, fetch))
        finally:
            _COUNTERS[result].inc()
            bind_contextvars(cache=result.value)
        return response

    def _answer(self, rule: Rule, read: Read) -> Answered:
        passes_by = read.demands.no_store or not _FOR_THE_SERVICE.isdisjoint(read.request.environ)
        if passes_by or (read.has_credentials and rule.access is Access.OPTIONAL):
            return _forward(read, Result.BYPASS, "fwd=bypass")
        return self._look_up(read)

    def note_change(self, request: ProxyRequest, response: ProxyResponse) -> None:
        """Drop what an unsafe request has changed: its target, Location and Content-Location (RFC 9111 4.4)."""
        if not 200 <= response.status < 400:
            return
        own = _key(request)
        address = f"{own.scheme}://{own.host}{own.target}"
        named = [*values_of(response.headers, "location"), *values_of(response.headers, "content-location")]
        for key in {own, *(_key_of(address, reference) for reference in named)}:
            if (key.scheme, key.host) == (own.scheme, own.host):
                self._fills.outdate(key)
                self._store.remove(key)

    def _read(self, rule: Rule, request: ProxyRequest, fetch: Fetch) -> Read:
        cookies = request.header("Cookie")
        return Read(
            request=request,
            key=_key(request),
            fetch=fetch,
            demands=read_demands(request.environ),
            has_credentials="HTTP_AUTHORIZATION" in request.environ
            or (cookies != "" and self._cookies.read_session(cookies).is_present),
            rule=rule,
            strip_cookies=self._cookies.without_session,
        )

    def _look_up(self, read: Read) -> Answered:
        entry = self._store.find(read.key, read.value_of)
        answered = entry and self._from_entry(read, entry, Result.HIT)
        if answered:
            return answered
        if read.demands.only_if_cached:
            raise UpstreamTimeout("Nothing is stored that may answer, and the request forbids to ask.")
        if read.request.method == "HEAD" or "HTTP_RANGE" in read.request.environ:
            return _forward(read, Result.MISS, self._fetches.reason(entry))
        return self._fetch_once(read, entry)

    def _from_entry(self, read: Read, entry: Entry, result: Result) -> Answered | None:
        """Answer from an entry; None: the service must be asked."""
        age = self._clock() - entry.born_at
        verdict = judge(entry.reuse, age, read.demands)
        if verdict is Verdict.VALIDATE:
            if not self._fills.is_failing(read.key) or not may_answer_error(entry.reuse, age, read.demands):
                return None
            verdict = Verdict.STALE  # The service has just failed; a thread tries again.
        status = f"hit; ttl={int(entry.reuse.lifetime - age)}"
        if verdict is Verdict.STALE:
            result = Result.STALE
            self._refresh_soon(read, entry)
        elif result is Result.COALESCED:
            status = "fwd=miss; collapsed"
        return result, stored_response(entry, read.request.environ, age=age, status=status)

    def _fetch_once(self, read: Read, entry: Entry | None) -> Answered:
        """Fetch, unless another request does so already: then wait for what it gets, if that can be stored."""
        for _ in range(_MOST_WAITS):
            if read.demands.no_cache or read.demands.max_age == 0 or self._fills.is_unshared(read.key):
                break
            variant = self._variant(read)
            fill, is_own = self._fills.join(read.key, variant)
            if is_own:
                return self._lead(read, fill)
            is_over = fill.done.wait(WAIT_SECONDS)
            entry = self._store.find(read.key, read.value_of)
            answered = entry and self._from_entry(read, entry, Result.COALESCED)
            if answered:
                return answered
            if not is_over or self._variant(read) == variant:
                break  # It takes too long, or what it got is of no use for this request.
        return self._fetches.fetch(read, entry, self._fills.begin(read.key))

    def _variant(self, read: Read) -> Variant:
        """Return what tells the request's variant from others, as far as it is known."""
        return tuple(map(read.value_of, self._store.variant_names(read.key)))

    def _lead(self, read: Read, fill: Fill) -> Answered:
        """Fetch for all that wait, unless somebody else has just done so."""
        try:
            entry = self._store.find(read.key, read.value_of)
            answered = entry and self._from_entry(read, entry, Result.HIT)
        except BaseException:
            self._fills.end(fill)
            raise
        if answered:
            self._fills.end(fill)
            return answered
        return self._fetches.fetch(read, entry, fill)

    def _refresh_soon(self, read: Read, entry: Entry) -> None:
        """Let a thread fetch, unless somebody does so already or too many wait for a thread."""
        fill, is_own = self._fills.join(read.key, self._variant(read))
        if not is_own:
            return
        request_id, trace = current_request_id(), trace_headers()

        def refresh() -> None:
            begin_request(request_id, trace.get("traceparent"), trace.get("tracestate"))
            try:
                _, response = self._fetches.fetch(read._replace(demands=Demands()), entry, fill)
            except XinjingError:
                return  # The upstream has logged it; the entry stays.
            if isinstance(response.body, RecordedBody):
                response.body.finish()
            else:
                response.close()

        if not self.refreshes.submit(refresh):
            self._fills.end(fill)


def _forward(read: Read, result: Result, status: str) -> Answered:
    """Let the service answer the request as it is; nothing is stored."""
    response = read.fetch.send(read.fetch.write())
    response.headers.append(status_line(status))
    return result, response


def _key(request: ProxyRequest) -> Key:
    return Key(request.client.scheme, request.client.host.lower(), request.target.raw)


def _key_of(address: str, reference: str) -> Key:
    """Return the key of what a Location names; of what is no address, a key that nothing has."""
    try:
        parts = urlsplit(urljoin(address, reference))
    except ValueError:
        return Key("", "", "")
    return Key(parts.scheme, parts.netloc.lower(), f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}")
