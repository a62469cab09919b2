"""Spans, as a collector gets them over OTLP/HTTP from the shipped gunicorn, and a start without their packages."""

import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

Ask = Callable[..., requests.Response]
WAIT_SECONDS = 60
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@dataclass
class Collector:
    """An OTLP/HTTP receiver: spans by service and name."""

    spans: dict[tuple[str, str], Span] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)
    variables: dict[str, str] = field(default_factory=dict)

    def take(self, path: str, body: bytes) -> None:
        self.paths.add(path)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = attributes(resource.resource)["service.name"]
            self.spans |= {(service, span.name): span for scope in resource.scope_spans for span in scope.spans}

    def wait_for(self, *names: tuple[str, str]) -> list[Span]:
        end = time.monotonic() + WAIT_SECONDS
        while not set(names) <= set(self.spans):
            assert time.monotonic() < end, sorted(self.spans)
            time.sleep(0.05)
        return [self.spans[name] for name in names]


def attributes(holder: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in holder.attributes}


@contextmanager
def running_collector() -> Iterator[Collector]:
    """Run a collector, with the variables that send spans to it at once."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{server.server_address[1]}"
    found.variables["OTEL_BSP_SCHEDULE_DELAY"] = "100"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """The collector of the tests that change no variable."""
    with running_collector() as found:
        yield found


def start_gateway(start: Callable[..., Any], variables: dict[str, str]) -> Ask:
    """Start a gateway and a captcha-service that export spans; ``Authorization="…"`` and the like are headers."""
    captchas = start("captcha-service", **variables)
    gateway = start("gateway", GATEWAY_CAPTCHA_SERVICE_URL=captchas.url, **variables)

    def ask(method: str, path: str, **headers: str) -> requests.Response:
        return requests.request(method, gateway.url + path, headers=headers, json={}, timeout=WAIT_SECONDS)

    return ask


@pytest.fixture
def ask(collector: Collector, shared_service: Callable[..., Any]) -> Ask:
    """Ask the gateway of the tests that change no variable; it ends before the collector, which it would wait for."""
    return start_gateway(shared_service, collector.variables)


CAPTCHAS = "POST /api/v1/captchas"


def test_the_spans_of_a_request_hang_together(ask: Ask, collector: Collector) -> None:
    assert ask("POST", "/api/v1/captchas", traceparent=f"00-{TRACE}-{PARENT}-01").status_code == 201
    outer, inner = collector.wait_for(("gateway", CAPTCHAS), ("captcha-service", CAPTCHAS))
    assert {outer.trace_id.hex(), inner.trace_id.hex()} == {TRACE}
    assert (outer.parent_span_id.hex(), inner.parent_span_id) == (PARENT, outer.span_id)
    assert outer.start_time_unix_nano <= inner.start_time_unix_nano <= inner.end_time_unix_nano
    assert (outer.kind, inner.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_SERVER)
    assert collector.paths == {"/v1/traces"}


def test_a_trace_that_begins_at_the_gateway_is_exported_without_what_the_client_sent(
    ask: Ask, collector: Collector
) -> None:
    ask("GET", "/api/v1/news/13800138000?mobile=13800138000", Authorization="Bearer 13800138000")
    (refused,) = collector.wait_for(("gateway", "GET /api/v1/news/{id}"))
    expected = {"http.request.method": "GET", "http.route": "/api/v1/news/{id}", "http.response.status_code": 401}
    assert (attributes(refused), refused.parent_span_id) == (expected, b"")
    assert refused.status.code == Status.STATUS_CODE_UNSET
    assert b"13800138000" not in refused.SerializeToString()


def test_a_service_that_is_away_makes_a_failed_span(ask: Ask, collector: Collector) -> None:
    assert ask("GET", "/api/v1/categories").status_code == 503
    (failed,) = collector.wait_for(("gateway", "GET /api/v1/categories"))
    assert failed.status.code == Status.STATUS_CODE_ERROR


@pytest.fixture
def own_collector() -> Iterator[Collector]:
    """The collector of one test; it ends after the services, which would wait for it."""
    with running_collector() as found:
        yield found


def test_the_callers_sampling_and_the_variables_decide_what_is_exported(
    own_collector: Collector, start_service: Callable[..., Any]
) -> None:
    none_of_ours = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    ask = start_gateway(start_service, own_collector.variables | none_of_ours)
    ask("GET", "/healthz")
    ask("GET", "/api/v1/categories")
    ask("GET", "/api/v1/news", traceparent=f"00-{TRACE}-{PARENT}-00")
    ask("POST", "/api/v1/captchas", traceparent=f"00-{TRACE}-{PARENT}-01")
    own_collector.wait_for(("gateway", CAPTCHAS), ("captcha-service", CAPTCHAS))
    assert len(own_collector.spans) == 2


def test_without_an_endpoint_no_exporter_is_imported() -> None:
    # redis-py imports the library's interfaces itself where they are installed.
    exporters = "[name for name in sys.modules if name.startswith(('chassis.telemetry', 'opentelemetry.exporter'))]"
    found = f"import sys, gateway.app, sms_service.app; print({exporters})"
    assert subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_endpoint_without_the_packages_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith("opentelemetry"):
            (tmp_path / entry.name).symlink_to(entry)
    refusal = refused_start("-S", endpoint="http://collector:4318", folder=tmp_path)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT: Value error, needs the packages of deploy/requirements-telemetry" in refusal


def test_an_endpoint_is_an_address(tmp_path: Path) -> None:
    assert "OTEL_EXPORTER_OTLP_ENDPOINT: String should match" in refused_start(
        endpoint="collector:4318", folder=tmp_path
    )


def refused_start(*options: str, endpoint: str, folder: Path) -> str:
    """Start a service that must end with the status of a fault in its settings; return what it says."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, *options, "-c", "from captcha_service.app import create_app; create_app()"],
        env={"PYTHONPATH": f"{folder}:{root}/chassis:{root}/captcha-service", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint},
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
    )
    assert done.returncode == 3
    return done.stderr
