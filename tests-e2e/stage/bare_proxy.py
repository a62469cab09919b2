"""A yardstick: a proxy without any policy on the gateway's own connections; its service listens on UPSTREAM_PORT."""

import os
from collections import deque
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from gateway.proxy.body import Body
from gateway.upstreams.connection import ServiceConnection

_PORT = int(os.environ.get("UPSTREAM_PORT", "0"))
_idle: deque[ServiceConnection] = deque()


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Pass one GET on, and its answer back."""
    if environ["PATH_INFO"] == "/readyz":
        start_response("200 OK", [("Content-Length", "0")])
        return []
    connection = _idle.pop() if _idle else ServiceConnection("127.0.0.1", _PORT, connect_seconds=1, read_seconds=30)
    connection.send_request("GET", environ["RAW_URI"], [("Host", "127.0.0.1")], Body(b"", 0))
    head = connection.read_head("GET")
    body = b"".join(connection.read_body(head))
    _idle.append(connection)
    start_response(f"{head.status} {head.reason}", head.headers)
    return [body]
