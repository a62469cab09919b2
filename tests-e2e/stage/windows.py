"""A browser window whose console must stay silent: a violation of the content policy speaks there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar  # Any: options of Playwright.

from playwright.sync_api import Browser, Page


@dataclass
class Window:
    """One window, what its console said, and what it asked for."""

    page: Page
    messages: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)


AnyWindow = TypeVar("AnyWindow", bound=Window)


@contextmanager
def silent_window(browser: Browser, kind: type[AnyWindow], **options: Any) -> Iterator[AnyWindow]:
    """Open a window of a kind; at the end its console must have been silent."""
    with browser.new_context(**options) as context:
        window = kind(context.new_page())
        window.page.on("console", lambda message: window.messages.append(message.text))
        window.page.on("pageerror", lambda error: window.messages.append(str(error)))
        window.page.on("request", lambda request: window.addresses.append(request.url))
        yield window
    assert window.messages == []
