"""What gunicorn answers itself, to what never became a request of an app: a problem, a log line and a count."""

import os
from contextlib import suppress
from typing import Any  # gunicorn has no types.

import structlog
from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http import errors as http_errors  # type: ignore[import-untyped]

from chassis import errors

_KINDS: dict[type[Exception], type[errors.XinjingError]] = {
    http_errors.LimitRequestLine: errors.AddressTooLong,
    http_errors.LimitRequestHeaders: errors.HeadersTooLarge,
    http_errors.ExpectationFailed: errors.ExpectationFailed,
    http_errors.UnsupportedTransferCoding: errors.TransferCodingUnsupported,
    # The application's own header is at fault.
    http_errors.InvalidResponseHeader: errors.InternalError,
    http_errors.InvalidResponseHeaderName: errors.InternalError,
    http_errors.ConfigurationProblem: errors.InternalError,
    http_errors.ParseException: errors.RequestRefused,
}


def refusal_of(failure: Exception) -> errors.XinjingError:
    """Say with which error a failure of gunicorn's own is answered."""
    if isinstance(failure, http_errors.InvalidHTTPVersion) and isinstance(failure.version, tuple):
        return errors.HttpVersionUnsupported()  # Else it is no version at all, but a text.
    return next((error for kind, error in _KINDS.items() if isinstance(failure, kind)), errors.InternalError)()


def answer_refusal(client: Any, address: Any, error: errors.XinjingError, *, request: Any, cause: Any) -> None:
    """Answer on the socket ``client``, which must end with it; ``request`` is what gunicorn could parse, or None."""
    # Imported in the worker: the first import of prometheus_client opens the files of a process.
    from chassis.metrics import REQUESTS
    from chassis.problems import problem_response
    from chassis.tracing import REQUEST_ID_HEADER, begin_request

    lines, names = getattr(request, "headers", ()), (REQUEST_ID_HEADER.upper(), "TRACEPARENT", "TRACESTATE")
    request_id = begin_request(*(",".join(value for key, value in lines if key == name) for name in names))
    log = structlog.get_logger("gunicorn")
    line = {
        "route": "unreadable",
        "status": error.status,
        "client_ip": address[0] if isinstance(address, tuple) else "",
    }
    if error.status == 500:
        log.error("request", **line, exc_info=cause)
    else:
        log.info("request", **line, error=type(cause).__name__)  # Its text holds what the client sent.
    REQUESTS.labels(os.environ["SERVICE"], "other", "unreadable", error.status).inc()
    answer = problem_response(error)
    answer.headers.extend({REQUEST_ID_HEADER: request_id, "X-Content-Type-Options": "nosniff"})
    answer.headers.extend({"Date": util.http_date(), "Connection": "close"})
    body = b"" if getattr(request, "method", "") == "HEAD" else answer.data
    with suppress(OSError):  # The client is gone.
        client.sendall(f"HTTP/1.1 {answer.status}\r\n{answer.headers}".encode() + body)
