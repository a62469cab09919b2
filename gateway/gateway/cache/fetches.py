"""How the service is asked for what may be stored: with our validators, and what comes of each answer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from werkzeug.http import http_date

from chassis.errors import DependencyUnavailable, UpstreamTimeout, UpstreamUnavailable
from gateway.cache.answers import RecordedBody, Result, status_line, stored_response
from gateway.cache.conditions import CONDITIONS, is_about, merge_headers, own_conditions
from gateway.cache.fills import Fill, Fills
from gateway.cache.freshness import (
    Demands,
    Reuse,
    Verdict,
    initial_age,
    judge,
    may_answer_error,
    reuse_of,
    vary_names,
)
from gateway.cache.store import Entry, Key, Store
from gateway.proxy.request import Headers, ProxyRequest, forwarded_value, values_of
from gateway.proxy.responses import ProxyResponse, ResponsePolicy
from gateway.routing.rules import Rule
from gateway.upstreams.upstream import UpstreamRequest, UpstreamResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# For these a stale answer may stand in (RFC 5861 4).
_ERRORS = frozenset({500, 502, 503, 504})

Answered = tuple[Result, ProxyResponse]


@dataclass(frozen=True)
class Fetch:
    """How the service is asked: ``write`` builds the request as it is forwarded, ``send`` sends one."""

    write: Callable[[], UpstreamRequest]
    send: Callable[[UpstreamRequest], ProxyResponse]


class Read(NamedTuple):
    """One read on its way through the cache."""

    request: ProxyRequest
    key: Key
    fetch: Fetch
    demands: Demands
    has_credentials: bool
    rule: Rule
    strip_cookies: Callable[[str], str]

    def value_of(self, lower_name: str) -> str:
        """Return what tells the request from others by a name in Vary."""
        return variant_value(self.request.environ, lower_name, self.strip_cookies)


def variant_value(environ: "WSGIEnvironment", lower_name: str, strip_cookies: Callable[[str], str]) -> str:
    """Return what a service is told under a name in Vary, without blanks around commas."""
    value = forwarded_value(environ, lower_name, strip_cookies=strip_cookies)
    return ",".join(map(str.strip, value.split(","))) if "," in value else value


class _Received(NamedTuple):
    """A service's response, when it came (seconds since 1970) and when it was written (by the cache's clock)."""

    response: ProxyResponse
    received_at: float
    born_at: float


@dataclass(frozen=True, kw_only=True)
class Fetches:
    """Asks services, and stores what may be stored. Threads share it.

    ``clock`` measures ages; ``wall_clock`` is compared with the dates that services write.
    """

    store: Store
    fills: Fills
    policy: ResponsePolicy
    clock: Callable[[], float]
    wall_clock: Callable[[], float]

    def fetch(self, read: Read, entry: Entry | None, fill: Fill) -> Answered:
        """Ask the service, about what is stored if there is an entry; ``fill`` ends when its outcome is known.

        Raises:
            XinjingError: what the service's side raises, if the entry may not stand in.
        """
        requested_at = self.wall_clock()
        try:
            response = read.fetch.send(self._write(read, entry))
            try:
                return self._receive(read, entry, fill, self._received(response, requested_at))
            except BaseException:
                response.close()
                raise
        except (DependencyUnavailable, UpstreamTimeout, UpstreamUnavailable):
            if entry is None or not self._may_stand_in(read, entry):
                self.fills.end(fill)
                raise
            return self._stand_in(read, entry, fill)
        except BaseException:
            self.fills.end(fill)
            raise

    def reason(self, entry: Entry | None) -> str:
        """Say in the words of RFC 9211 2.2 why a request goes to the service."""
        if entry is None:
            return "fwd=miss"
        is_fresh = judge(entry.reuse, self.clock() - entry.born_at, Demands()) is Verdict.FRESH
        return "fwd=request" if is_fresh else "fwd=stale"

    def _write(self, read: Read, entry: Entry | None) -> UpstreamRequest:
        """Write a GET with our own conditions; the client's travel only if nobody expects to store the answer."""
        request = read.fetch.write()
        if entry is None and self.fills.is_unshared(read.key):
            return request
        headers = [line for line in request.headers if line[0].lower() not in CONDITIONS]
        return replace(request, method="GET", headers=headers + (own_conditions(entry.headers) if entry else []))

    def _received(self, response: ProxyResponse, requested_at: float) -> _Received:
        received_at = self.wall_clock()
        age = initial_age(response.headers, requested_at=requested_at, received_at=received_at)
        return _Received(response, received_at, self.clock() - age)

    def _receive(self, read: Read, entry: Entry | None, fill: Fill, received: _Received) -> Answered:
        response, reason = received.response, self.reason(entry)
        if entry is not None and response.status in (304, 412):
            response.close()
            if response.status == 304 and is_about(entry.headers, response.headers):
                return self._update(read, entry, fill, received)
            return self.fetch(read, None, fill)
        if response.status in _ERRORS and entry is not None and self._may_stand_in(read, entry):
            response.close()
            return self._stand_in(read, entry, fill)
        reuse = _reuse_of(read, response.status, response.headers, received)
        if reuse is None or not _can_keep(response.body, self.store.most_entry_bytes):
            self._note_unstorable(read, entry, fill, response.status)
        elif isinstance(response.body, list):
            kept = self._entry(read, received, reuse, b"".join(response.body))
            self._keep(read, fill, kept)
            return self._answer(read, kept, Result.MISS, f"{reason}; stored")
        else:
            self._record(read, fill, received, reuse)
        response.headers.append(status_line(reason))
        return Result.MISS, response

    def _update(self, read: Read, entry: Entry, fill: Fill, received: _Received) -> Answered:
        """Answer an entry of which the service says that it is still the present one, and store its new head."""
        status = f"{self.reason(entry)}; fwd-status=304"
        headers = merge_headers(entry.headers, _with_date(received.response.headers, received.received_at))
        reuse = _reuse_of(read, entry.status, headers, received)
        response = ProxyResponse(entry.status, headers, [entry.body], entry.reason)
        present = self._entry(read, received._replace(response=response), reuse or Reuse(lifetime=0), entry.body)
        if reuse is None:
            self._note_unstorable(read, entry, fill, entry.status)
        else:
            self._keep(read, fill, present, instead_of=entry)
        return self._answer(read, present, Result.REVALIDATED, status)

    def _may_stand_in(self, read: Read, entry: Entry) -> bool:
        return may_answer_error(entry.reuse, self.clock() - entry.born_at, read.demands)

    def _stand_in(self, read: Read, entry: Entry, fill: Fill) -> Answered:
        """Answer an entry in the place of an error."""
        self.fills.note_failure(read.key)
        self.fills.end(fill)
        return self._answer(read, entry, Result.STALE, f"{self.reason(entry)}; detail=stale-if-error")

    def _answer(self, read: Read, entry: Entry, result: Result, status: str) -> Answered:
        age = self.clock() - entry.born_at
        return result, stored_response(entry, read.request.environ, age=age, status=status)

    def _entry(self, read: Read, received: _Received, reuse: Reuse, body: bytes) -> Entry:
        response = received.response
        headers = [line for line in _with_date(response.headers, received.received_at) if line[0].lower() != "age"]
        ready = [line for line in headers if line[0].lower() != "content-length"]
        if response.status != 204:
            ready.append(("Content-Length", str(len(body))))
        return Entry(
            response.status,
            headers,
            body,
            rule=read.rule,
            reason=response.reason,
            ready_headers=self.policy.complete(ready, is_own=False),
            reuse=reuse,
            variant=tuple((name, read.value_of(name)) for name in vary_names(headers)),
            born_at=received.born_at,
        )

    def _keep(self, read: Read, fill: Fill, entry: Entry, *, instead_of: Entry | None = None) -> None:
        self.store.put(read.key, entry, instead_of=instead_of)
        if fill.is_outdated:
            self.store.remove(read.key, entry)
        verdict = judge(entry.reuse, self.clock() - entry.born_at, Demands())
        self.fills.note_answer(read.key, is_shared=verdict is not Verdict.VALIDATE)
        self.fills.end(fill)

    def _record(self, read: Read, fill: Fill, received: _Received, reuse: Reuse) -> None:
        """Let the body pass, and store it if it comes to its end."""

        def on_end(body: bytes | None) -> None:
            if body is None:
                self.fills.end(fill)
            else:
                self._keep(read, fill, self._entry(read, received, reuse, body))

        # The answer gets lines of its own later, which are not stored.
        response, received = received.response, received._replace(response=replace(received.response))
        received.response.headers = list(response.headers)
        response.body = RecordedBody(
            response.body,
            length=getattr(response.body, "content_length", None),
            most_bytes=self.store.most_entry_bytes,
            on_end=on_end,
        )

    def _note_unstorable(self, read: Read, entry: Entry | None, fill: Fill, status: int) -> None:
        """Drop what a present answer replaces though it cannot be stored itself; errors replace nothing."""
        if status < 500:
            if entry is not None:
                self.store.remove(read.key, entry)
            if not read.has_credentials:
                self.fills.note_answer(read.key, is_shared=False)
        self.fills.end(fill)


def _reuse_of(read: Read, status: int, headers: Headers, received: _Received) -> Reuse | None:
    # A silent service may have written for the cookies that it got, those of its own.
    is_for_one = bool(read.strip_cookies(read.request.header("Cookie")))
    return reuse_of(
        status,
        headers,
        received_at=received.received_at,
        has_credentials=read.has_credentials,
        silent_seconds=0 if is_for_one else read.rule.cache_seconds,
    )


def _with_date(headers: Headers, received_at: float) -> Headers:
    """Add the Date that a recipient adds (RFC 9110 6.6.1); the server would write a new one for each client."""
    return headers if values_of(headers, "date") else [*headers, ("Date", http_date(received_at))]


def _can_keep(body: Iterable[bytes], most_bytes: int) -> bool:
    """Say whether a body is short enough, and has an end that can be told from a connection that broke."""
    if isinstance(body, list):
        return sum(map(len, body)) <= most_bytes
    if not isinstance(body, UpstreamResponse):
        return False
    length = body.content_length
    return bool(values_of(body.headers, "transfer-encoding")) if length is None else length <= most_bytes
