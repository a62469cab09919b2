"""The request id: one per request, in every log line, every error and every call to another service."""

import re
import uuid

from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

REQUEST_ID_HEADER = "X-Request-Id"
_ACCEPTABLE = re.compile(r"[A-Za-z0-9_.:@/+=-]{1,128}")


def accept_request_id(offered: str | None) -> str:
    """Return a caller's id if it is harmless in headers and logs, else a new one."""
    return offered if offered and _ACCEPTABLE.fullmatch(offered) else uuid.uuid4().hex


def begin_request(offered: str | None) -> str:
    """Start the log context of one request or one queue job, and return its id."""
    clear_contextvars()
    request_id = accept_request_id(offered)
    bind_contextvars(request_id=request_id)
    return request_id


def current_request_id() -> str:
    """Return the id of the present request, or an empty text outside of requests."""
    return str(get_contextvars().get("request_id", ""))
