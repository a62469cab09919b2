"""The request id and the trace of a request: in every log line, every error and every call to another service.

A trace is read and passed on as https://www.w3.org/TR/trace-context-1/ says, whoever sent it.
"""

import os
import re
import uuid
from contextvars import ContextVar
from typing import NamedTuple, Protocol
from wsgiref.types import WSGIEnvironment

from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

REQUEST_ID_HEADER = "X-Request-Id"
_ENVIRON_KEY = "xinjing.request_id"
_ACCEPTABLE = re.compile(r"[A-Za-z0-9_.:@/+=-]{1,128}")
# What a later version adds stands behind a dash. A comma joins two lines of the header, of which none is believed.
_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})((?:-[^,]*)?)"
)
_STATE_MEMBER = re.compile(
    r"([a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MOST_STATE_MEMBERS, _LONGEST_STATE, _LONG_STATE_MEMBER = 32, 512, 128


class Trace(NamedTuple):
    """One request's place in its trace: 32 and 16 lower-case hex digits; without a ``parent_id`` the trace began here.

    ``span_id`` is this process's part of the request, ``state`` what other tracers noted.
    """

    trace_id: str
    span_id: str
    parent_id: str
    is_sampled: bool
    state: str

    @property
    def traceparent(self) -> str:
        """The value that hands the trace to another process."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"


class SpanExport(Protocol):
    """Exports spans; see `chassis.telemetry`."""

    def is_sampled(self, trace: Trace) -> bool:
        """Decide whether a trace is recorded; ``trace.is_sampled`` is what the caller decided."""

    def export(self, trace: Trace, *, method: str, route: str, status: int, seconds: float) -> None:
        """Export the span of one answered request, later and in another thread."""


_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)
_exports: list[SpanExport] = []  # None, or one.


def export_spans(service: str, endpoint: str | None) -> None:
    """Export a span of every request from now on, if there is an endpoint; only then OpenTelemetry is imported."""
    if endpoint:
        from chassis.telemetry import OtlpExport

        _exports[:] = [OtlpExport(service)]


def begin_request(offered: str | None, traceparent: str | None = None, tracestate: str | None = None) -> str:
    """Start the log context of one request or one queue job, and return its id.

    ``offered`` is a caller's id; it is replaced if it is not harmless in headers and logs. ``traceparent`` and
    ``tracestate`` are the caller's headers; without a valid traceparent a new trace begins.
    """
    trace = _begin_trace(traceparent, tracestate)
    is_acceptable = offered and _ACCEPTABLE.fullmatch(offered)
    request_id = offered if is_acceptable else uuid.uuid4().hex if trace.parent_id else trace.trace_id
    _trace.set(trace)
    clear_contextvars()
    bind_contextvars(request_id=request_id)
    return str(request_id)


def begin_environ(environ: WSGIEnvironment) -> str:
    """Begin a WSGI request as `begin_request` does, once: an app behind a middleware that began it changes nothing."""
    request_id: str | None = environ.get(_ENVIRON_KEY)
    if request_id is None:
        request_id = environ[_ENVIRON_KEY] = begin_request(
            *map(environ.get, ("HTTP_X_REQUEST_ID", "HTTP_TRACEPARENT", "HTTP_TRACESTATE"))
        )
    return request_id


def end_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """Export the span of the present request, if spans are exported; ``route`` is a template, never an address."""
    trace = current_trace()
    if trace is not None and trace.is_sampled:
        for export in _exports:
            export.export(trace, method=method, route=route, status=status, seconds=seconds)


def current_request_id() -> str:
    """Return the id of the present request, or an empty text outside of requests."""
    return str(get_contextvars().get("request_id", ""))


def current_trace() -> Trace | None:
    """Return the trace of the present request, or None outside of requests."""
    return _trace.get()


def trace_headers() -> dict[str, str]:
    """Return the headers that hand the present request's trace to another process; none outside of requests."""
    trace = current_trace()
    if trace is None:
        return {}
    headers = {"traceparent": trace.traceparent}
    return headers | {"tracestate": trace.state} if trace.state else headers


def _begin_trace(traceparent: str | None, tracestate: str | None) -> Trace:
    digits = os.urandom(24).hex()
    span_id = f"f{digits[33:]}"  # Never zero, and never like a mobile number.
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if found is None or (found[1] == "00" and found[5]):
        trace = Trace(digits[:32], span_id, "", is_sampled=False, state="")
    else:
        trace = Trace(found[2], span_id, found[3], bool(int(found[4], 16) & 1), _read_state(tracestate or ""))
    return trace._replace(is_sampled=_exports[0].is_sampled(trace)) if _exports else trace


def _read_state(text: str) -> str:
    """Return the members of a tracestate header, shortened as W3C says (3.3.1.5); empty if one is malformed."""
    members = [member for part in text.split(",") if (member := part.strip(" \t"))]
    keys = {found[1] for member in members if (found := _STATE_MEMBER.fullmatch(member))}
    if len(members) > _MOST_STATE_MEMBERS or len(keys) < len(members):
        return ""
    if len(",".join(members)) > _LONGEST_STATE:
        members = [member for member in members if len(member) <= _LONG_STATE_MEMBER]
    while len(",".join(members)) > _LONGEST_STATE:
        members.pop()
    return ",".join(members)
