"""Spans for OpenTelemetry over OTLP/HTTP. An extra: imported only where ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set.

The library reads its other variables itself: ``OTEL_EXPORTER_OTLP_HEADERS``, ``OTEL_TRACES_SAMPLER``, ``OTEL_BSP_…``
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
"""

import time

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from chassis.tracing import Trace


class OtlpExport:
    """Exports one server span for each sampled request, in batches; a full queue (2048 spans) drops new ones.

    The ids are those of `chassis.tracing`, so nothing here is a second context of the request.
    """

    def __init__(self, service: str) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": service}))
        self._batch = BatchSpanProcessor(OTLPSpanExporter())
        self._provider.add_span_processor(self._batch)  # Which ends it, and sends what is left, at the process's end.

    def is_sampled(self, trace: Trace) -> bool:
        """Ask the sampler; the default records what the caller records, and every trace that begins here."""
        caller = _span_context(trace, trace.parent_id) if trace.parent_id else None
        context = set_span_in_context(NonRecordingSpan(caller), Context()) if caller else Context()
        result = self._provider.sampler.should_sample(context, int(trace.trace_id, 16), "", SpanKind.SERVER)
        return result.decision is Decision.RECORD_AND_SAMPLE

    def export(self, trace: Trace, *, method: str, route: str, status: int, seconds: float) -> None:
        """Queue the span of one answered request; it holds no address, and nothing of the user's."""
        ended_at = time.time_ns()
        span = ReadableSpan(
            name=f"{method} {route}",
            context=_span_context(trace, trace.span_id),
            parent=_span_context(trace, trace.parent_id) if trace.parent_id else None,
            resource=self._provider.resource,
            attributes={"http.request.method": method, "http.route": route, "http.response.status_code": status},
            kind=SpanKind.SERVER,
            status=Status(StatusCode.ERROR if status >= 500 else StatusCode.UNSET),
            start_time=ended_at - int(seconds * 1e9),
            end_time=ended_at,
        )
        self._batch.on_end(span)


def _span_context(trace: Trace, span_id: str) -> SpanContext:
    is_callers = span_id == trace.parent_id
    flags = TraceFlags(TraceFlags.SAMPLED if trace.is_sampled else TraceFlags.DEFAULT)
    return SpanContext(int(trace.trace_id, 16), int(span_id, 16), is_remote=is_callers, trace_flags=flags)
