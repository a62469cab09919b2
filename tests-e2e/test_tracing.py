"""One trace through the whole system: the client's, in the log lines of every process that its requests reach."""

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

Get = Callable[..., Any]
REACHED = {"gateway", "captcha-service", "sms-service", "sms-worker", "user-service"}
WAIT_SECONDS = 20


def lines_of(stack: Any) -> list[dict[str, Any]]:
    """The log lines of all processes, without what other programs write."""
    found = (text[text.find("{") :] for text in stack.logs().splitlines() if '{"' in text)
    return [json.loads(text) for text in found if text.endswith("}")]


def test_a_trace_stands_in_the_lines_of_every_process(stack: Any, app: Any, register: Get) -> None:
    trace_id = secrets.token_hex(16)
    app.http.headers["traceparent"] = f"00-{trace_id}-{secrets.token_hex(8)}-00"
    register()
    end = time.monotonic() + WAIT_SECONDS
    while (reached := {line["service"] for line in lines_of(stack) if line.get("trace_id") == trace_id}) != REACHED:
        assert time.monotonic() < end, reached
        time.sleep(0.2)


def test_no_line_of_a_request_is_without_a_trace(stack: Any, app: Get) -> None:
    request_id = secrets.token_hex(8)
    assert app("GET", "/api/v1/categories", headers={"X-Request-Id": request_id}).ok
    end = time.monotonic() + WAIT_SECONDS
    while len(mine := [line for line in lines_of(stack) if line.get("request_id") == request_id]) < 2:
        assert time.monotonic() < end, mine
        time.sleep(0.2)
    assert len({line["trace_id"] for line in mine}) == 1
    assert len({line["span_id"] for line in mine}) == 2
    assert [line for line in lines_of(stack) if "request_id" in line and len(line.get("trace_id", "")) != 32] == []
