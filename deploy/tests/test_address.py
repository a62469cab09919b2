"""What the embedded run prints when everything is ready."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from local.address import banner


@pytest.fixture
def gateway_answering() -> Iterator[ThreadingHTTPServer]:
    """A gateway with an inbox; with the status of its ``inbox_status``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(server.inbox_status if self.path == "/inbox/messages" else 404)  # type: ignore[attr-defined]
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name.
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("status", "names_inbox"), [(200, True), (404, False), (503, False)])
def test_the_inbox_is_named_only_if_there_is_one(
    gateway_answering: ThreadingHTTPServer, status: int, names_inbox: bool
) -> None:
    gateway_answering.inbox_status = status  # type: ignore[attr-defined]
    address = f"http://127.0.0.1:{gateway_answering.server_port}"
    lines = banner(address).split("\n")
    assert f"  Xinjing is ready: {address}" in lines
    assert (f"  SMS inbox:        {address}/inbox" in lines) is names_inbox
    assert f"  API docs:         {address}/docs" in lines
