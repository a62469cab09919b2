import re

import pytest
import structlog

from chassis import tracing
from chassis.tracing import (
    Trace,
    begin_environ,
    begin_request,
    current_request_id,
    current_trace,
    trace_headers,
)

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture(autouse=True)
def outside_of_requests() -> None:
    """Nothing that another test began is left."""
    structlog.contextvars.clear_contextvars()
    tracing._trace.set(None)


def begun() -> Trace:
    trace = current_trace()
    assert trace is not None
    return trace


def test_a_request_begins_with_a_clean_context() -> None:
    structlog.contextvars.bind_contextvars(left_over=1)
    assert begin_request("abc") == "abc"
    assert structlog.contextvars.get_contextvars() == {"request_id": "abc"}


def test_outside_of_a_request_there_is_no_id() -> None:
    assert (current_request_id(), trace_headers()) == ("", {})


def test_a_request_without_ids_gets_one_for_both() -> None:
    assert begin_request(None) == begun().trace_id == current_request_id()
    assert re.fullmatch(r"[0-9a-f]{32}", begun().trace_id)
    assert trace_headers() == {"traceparent": f"00-{begun().trace_id}-{begun().span_id}-00"}


def test_requests_of_one_trace_have_ids_of_their_own() -> None:
    first, first_span = begin_request(None, VALID), begun().span_id
    second, second_span = begin_request(None, VALID), begun().span_id
    assert (first != second, first_span != second_span) == (True, True)
    assert TRACE not in (first, second)


@pytest.mark.parametrize(("flags", "handed_on"), [("00", "00"), ("01", "01"), ("02", "00"), ("ff", "01")])
def test_a_trace_goes_on_with_a_parent_of_ours_and_the_callers_sampling(flags: str, handed_on: str) -> None:
    begin_request("abc", f"00-{TRACE}-{PARENT}-{flags}")
    assert begun().trace_id == TRACE
    assert re.fullmatch(rf"00-{TRACE}-f[0-9a-f]{{15}}-{handed_on}", trace_headers()["traceparent"])


@pytest.mark.parametrize("rest", ["-01", "-01-", "-01-what-comes-later", "-01-09-af"])
def test_a_later_version_is_read_by_its_first_part(rest: str) -> None:
    begin_request("abc", f"cc-{TRACE}-{PARENT}{rest}")
    assert begun().trace_id == TRACE
    assert trace_headers()["traceparent"].startswith("00-")


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "00",
        VALID[:-1],
        f"{VALID}-",
        f"{VALID}-01",
        f"{VALID}0",
        f"{VALID}\n",
        f" {VALID}",
        VALID.upper(),
        f"00-{TRACE}-{PARENT}-0x",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE}-{PARENT}0-01",
        f"00_{TRACE}_{PARENT}_01",
        f"ff-{TRACE}-{PARENT}-01",
        f"FF-{TRACE}-{PARENT}-01",
        f"0-{TRACE}-{PARENT}-01",
        f"000-{TRACE}-{PARENT}-01",
        f"cc-{TRACE}-{PARENT}-01.later",
        f"cc-{TRACE}-{PARENT}-011",
        f"{VALID},{VALID}",
        f"cc-{TRACE}-{PARENT}-01-later,{VALID}",
        f"00-{TRACE}-{PARENT}-０1",
    ],
)
def test_a_malformed_trace_begins_anew_and_its_state_is_dropped(traceparent: str) -> None:
    begin_request("abc", traceparent, "vendor=1")
    assert begun().trace_id != TRACE
    assert trace_headers() == {"traceparent": f"00-{begun().trace_id}-{begun().span_id}-00"}


MEMBERS = [f"k{number}={'v' * 10}" for number in range(33)]


@pytest.mark.parametrize(
    ("sent", "handed_on"),
    [
        ("vendor=1", "vendor=1"),
        ("a=1 , b=2,\t c=3,,", "a=1,b=2,c=3"),
        ("fw529a3039@dt=FfEQAAA,a-_*/=~", "fw529a3039@dt=FfEQAAA,a-_*/=~"),
        ("a= b", "a= b"),
        (",".join(MEMBERS[:32]), ",".join(MEMBERS[:32])),
        (",".join(MEMBERS), ""),
        ("a=1,a=2", ""),
        ("a", ""),
        ("a=", ""),
        ("A=1", ""),
        ("a=1,b=é", ""),
        ("a=1=2", ""),
        (f"{'k' * 256}={'v' * 255}", f"{'k' * 256}={'v' * 255}"),
        (f"{'k' * 257}=1", ""),
        (f"a={'v' * 257}", ""),
        (f"a={'v' * 255},long={'v' * 256},b={'v' * 40}", f"b={'v' * 40}"),
        (",".join(f"k{number}={'v' * 120}" for number in range(6)), ",".join(f"k{n}={'v' * 120}" for n in range(4))),
    ],
)
def test_the_state_of_a_trace_is_handed_on_within_its_bounds(sent: str, handed_on: str) -> None:
    begin_request("abc", VALID, sent)
    assert trace_headers().get("tracestate", "") == handed_on


def test_an_app_behind_a_middleware_begins_no_second_request() -> None:
    environ = {"HTTP_X_REQUEST_ID": "abc", "HTTP_TRACEPARENT": VALID, "HTTP_TRACESTATE": "a=1"}
    assert begin_environ(environ) == "abc"
    handed_on = trace_headers()
    assert handed_on["tracestate"] == "a=1"
    assert (begin_environ(environ), trace_headers()) == ("abc", handed_on)
