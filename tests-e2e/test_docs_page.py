"""The page of the API document in a browser: it works under a strict policy, and strangers' texts are only text."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from stage.windows import Window, silent_window

pytestmark = pytest.mark.browser
NEWS = '.opblock-get:has([data-path="/api/v1/news"])'
PICTURE = '.opblock-get:has([data-path="/api/v1/captchas/{id}/image"])'
HOSTILE = """<img src=x onerror="document.title='x'"> ![a](/passport/logout) [b](javascript:alert`1`)

<script>document.title='x'</script><iframe src="/inbox"></iframe><style>body{display:none}</style>
<a href="https://evil.example">c</a> https://evil.example `code`"""


@pytest.fixture
def window(chromium: Browser, stack: Any) -> Iterator[Window]:
    """A window whose console stays silent."""
    with silent_window(chromium, Window, base_url=stack.url, viewport={"width": 1280, "height": 960}) as found:
        yield found


def execute(page: Page, operation: str, **parameters: str) -> None:
    """Open an operation, fill in parameters, and run it."""
    block = page.locator(operation)
    block.locator("button.opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    for name, value in parameters.items():
        block.locator(f'tr[data-param-name="{name}"] input').fill(value)
    block.get_by_role("button", name="Execute").click()


def test_the_page_runs_operations_and_asks_nobody_but_the_gateway(
    window: Window, stack: Any, solved_captcha: Callable[[], Any], keep: Callable[[Page, str], None]
) -> None:
    policy = window.page.goto("/docs").headers["content-security-policy"]  # type: ignore[union-attr]
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    execute(window.page, NEWS)
    status = window.page.locator(NEWS).locator(".live-responses-table .response .response-col_status")
    expect(status).to_have_text("200")
    expect(window.page.locator(NEWS)).to_contain_text("Access: everybody.")
    keep(window.page, "docs.png")
    execute(window.page, PICTURE, id=solved_captcha()["captcha_id"])
    picture = window.page.locator(PICTURE).locator(".live-responses-table img")
    expect(picture).to_be_visible()
    assert picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth > 0)")
    outside = [url for url in window.addresses if not url.startswith((f"{stack.url}/", "data:", f"blob:{stack.url}/"))]
    assert outside == []


def test_descriptions_are_text_whoever_wrote_them(window: Window, app: Any) -> None:
    document = app("GET", "/api/v1/openapi.json").json()
    operation = document["paths"]["/api/v1/news"]["get"]
    operation["description"] = operation["responses"]["200"]["description"] = HOSTILE
    operation["parameters"].append({"name": "x", "in": "query", "description": HOSTILE, "schema": {"title": HOSTILE}})
    document["info"]["description"] = HOSTILE

    def answer(route: Route) -> None:
        route.fulfill(body=json.dumps(document), content_type="application/json")

    window.page.route("**/api/v1/openapi.json", answer)
    window.page.goto("/docs")
    window.page.locator(NEWS).locator("button.opblock-summary-control").click()
    texts = window.page.locator(".markdown", has_text="passport/logout")
    expect(texts.first).to_be_visible()
    assert texts.count() >= 4
    assert window.page.locator(".markdown :is(img, a, script, iframe, style)").count() == 0
    expect(texts.locator("code").first).to_have_text("1")
    assert window.page.title() == "Xinjing API"
    assert [url for url in window.addresses if "logout" in url or "evil" in url] == []


def test_no_parameter_leads_to_another_operation(chromium: Browser, stack: Any) -> None:
    with chromium.new_context(base_url=stack.url) as context:
        page = context.new_page()
        page.goto("/docs")
        with page.expect_request(lambda request: "/image" in request.url) as asked:
            execute(page, PICTURE, id="..")
        assert asked.value.url.startswith(f"{stack.url}/api/v1/captchas/%252e%252e/image")
