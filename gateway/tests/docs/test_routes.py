from collections.abc import Callable
from typing import Any


def test_the_own_pages_answer(gateway: Any, services: Any, answering_json: Callable[..., bytes]) -> None:
    message = {"mobile": "+8613800138000", "text": "<b>123456</b>", "sent_at": "2026-01-01T00:00:00Z"}
    services.sms.on("GET", "/internal/inbox/messages", answering_json({"items": [message]}))
    page = gateway.ask("GET", "/inbox")
    assert (page.status, b"&lt;b&gt;123456" in page.body) == (200, True)
    assert gateway.ask("GET", "/inbox/messages?mobile=138%200013%208000").json == {"items": [message]}
    assert services.sms.last.target == "/internal/inbox/messages?mobile=138+0013+8000"
    services.sms.on("GET", "/internal/inbox/messages", answering_json({"code": "not_found"}, "404 NOT FOUND"))
    assert (gateway.ask("GET", "/inbox").status, gateway.ask("GET", "/inbox/messages").status) == (404, 404)


def test_the_documentation_needs_nothing_from_elsewhere(gateway: Any) -> None:
    page = gateway.ask("GET", "/docs")
    assert (page.status, b"://" in page.body) == (200, False)
    assert "'unsafe-inline'" not in page.value("Content-Security-Policy").partition("style-src")[0]
    files = ["swagger-ui.css", "swagger-ui-bundle.js", "start.js", "inbox.css"]
    assert [gateway.ask("GET", f"/docs/{name}").status for name in files] == [200] * 4
    assert gateway.ask("GET", "/docs/nothing.js").status == 404
