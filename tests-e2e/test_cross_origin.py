"""A frontend on another port signs in with bearer tokens, in a browser that asks before each call."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
SIGN_IN_READ_REFRESH_LEAVE = """async ([api, mobile, password]) => {
  const call = async (method, path, token, body) => {
    const bearer = token && {Authorization: `Bearer ${token}`};
    const headers = {...(body && {"Content-Type": "application/json"}), ...bearer};
    const answer = await fetch(api + path, {method, headers, body: body && JSON.stringify(body)});
    const json = answer.status === 204 ? {} : await answer.json();
    return {status: answer.status, hasId: answer.headers.has("X-Request-Id"), json};
  };
  const begun = await call("POST", "/api/v1/sessions", null, {mobile, password});
  const me = await call("GET", "/api/v1/users/me", begun.json.access_token);
  const refreshed = await call("POST", "/api/v1/tokens/refresh", null, {refresh_token: begun.json.refresh_token});
  const left = await call("DELETE", "/api/v1/sessions/current", refreshed.json.access_token);
  const after = await call("GET", "/api/v1/users/me", refreshed.json.access_token);
  return [begun, me, refreshed, left, after];
}"""
READ = "api => fetch(api + '/api/v1/news').then(answer => answer.status, error => error.name)"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def pages(frontend: str, tmp_path: Path) -> Iterator[None]:
    """Serve the frontend's only page, which is empty."""
    (tmp_path / "index.html").write_text("<!doctype html><title>A frontend</title>")
    port = urlsplit(frontend).port or 80
    with ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("pages")
def test_a_listed_frontend_signs_in_reads_refreshes_and_leaves(
    chromium: Browser, stack: Any, frontend: str, register: Callable[[], Any]
) -> None:
    person = register()
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(frontend)
        answers = page.evaluate(SIGN_IN_READ_REFRESH_LEAVE, [stack.url, person.mobile, person.password])
        assert [answer["status"] for answer in answers] == [201, 200, 200, 204, 401]
        assert answers[1]["json"]["id"] == person.user["id"]
        assert all(answer["hasId"] for answer in answers)
        assert context.cookies([stack.url, frontend]) == []


@pytest.mark.usefixtures("pages")
def test_a_frontend_that_is_not_listed_reads_nothing(chromium: Browser, stack: Any, frontend: str) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(frontend)
        assert page.evaluate(READ, stack.url) == 200
        page.goto(frontend.replace("127.0.0.1", "localhost"))
        assert page.evaluate(READ, stack.url) == "TypeError"
