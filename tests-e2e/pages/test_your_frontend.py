"""`docs/your-frontend.md`: the frontend of `examples/` in a browser, on another origin and on the gateway's own."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from chassis.errors import XinjingError
from local.settings import free_ports
from stage.pages import ROOT, make_folder, read_blocks, read_tables

PAGE = "your-frontend.md"
EXAMPLE = ROOT / "examples/frontend"
PASSWORD = "a lighthouse keeper's violin"
REFRESH = "/api/v1/tokens/refresh"
WAIT_SECONDS = 60
SLOW_MS = 30_000
expect.set_options(timeout=SLOW_MS)
# The calls of the example, whose errors the page's table must name.
OPERATIONS = [
    ("captcha-service", "post", "/api/v1/captchas"),
    ("sms-service", "post", "/api/v1/sms-codes"),
    ("user-service", "post", "/api/v1/users"),
    ("user-service", "post", "/api/v1/sessions"),
    ("user-service", "post", REFRESH),
    ("user-service", "post", "/api/v1/reauthentications"),
    ("user-service", "delete", "/api/v1/sessions/current"),
]


def commands() -> list[str]:
    return [block.text.strip() for block in read_blocks(PAGE) if block.language == "sh"]


def all_errors() -> Iterator[type[XinjingError]]:
    kinds = [XinjingError]
    while kinds:
        kinds += kinds[0].__subclasses__()
        yield kinds.pop(0)


def test_the_page_quotes_the_example() -> None:
    program = (EXAMPLE / "app.js").read_text()
    quotes = [block.text for block in read_blocks(PAGE) if block.language == "js"]
    assert len(quotes) > 4
    assert [quote for quote in quotes if quote not in program] == []


def test_the_table_of_errors_is_right_and_names_what_the_calls_answer() -> None:
    [[*rows]] = read_tables(PAGE, "Errors")
    told = {(row[0].strip("`"), int(row[1]), row[2]) for row in rows}
    ours = {(kind.code, kind.status, kind.errno) for kind in all_errors()}
    assert told <= ours
    documents = {name: json.loads((ROOT / name / "openapi.json").read_text()) for name, *_ in OPERATIONS}
    named: set[str] = set()
    for name, method, path in OPERATIONS:
        for status, answer in documents[name]["paths"][path][method]["responses"].items():
            named |= set(re.findall(r"`(\w+)`", answer["description"])) if status >= "400" else set()
    assert named - {code for code, *_ in told} == set()


def test_the_only_command_that_is_not_typed_here_starts_everything() -> None:
    assert [command.partition(" ")[2] if "CORS" in command else command for command in commands()] == [
        "make run",
        "python3 -m http.server 8080 --bind 127.0.0.1 --directory examples",
    ]


class Frontend:
    """The example, served as the page says beside a system like that of `make run`."""

    def __init__(self, stack: Any, port: int) -> None:
        self.stack = stack
        self.elsewhere = f"http://127.0.0.1:{port}/frontend/"
        self.at_the_gateway = f"{stack.url}/frontend/"


def wait_for(is_so: Callable[[], bool], told: Callable[[], str]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < end, told()
        time.sleep(0.1)


def is_served(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def frontend(run_embedded: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    [port] = free_ports(1)
    start, serve = commands()
    name, _, value = start.partition(" ")[0].partition("=")
    with run_embedded(**{name: value.replace("8080", str(port))}) as stack:
        folder = make_folder(tmp_path_factory.mktemp("reader") / "xinjing", stack.folder)
        (folder / "examples").unlink()
        (folder / "examples/frontend").mkdir(parents=True)
        for file in EXAMPLE.iterdir():
            text = file.read_text().replace("http://127.0.0.1:8000", stack.url)
            (folder / "examples/frontend" / file.name).write_text(text)
        [routes] = [block for block in read_blocks(PAGE) if block.name == ".run/routes.yaml"]
        (folder / routes.name).write_text(routes.text.replace("8080", str(port)))
        with (folder / "server.log").open("wb") as log:
            command = f"exec {serve.replace('8080', str(port))}"
            server = subprocess.Popen(["bash", "-c", command], cwd=folder, stdout=log, stderr=log, env=os.environ)
        try:
            served = Frontend(stack, port)
            wait_for(lambda: is_served(served.elsewhere), (folder / "server.log").read_text)
            wait_for(lambda: is_served(served.at_the_gateway), stack.logs)
            yield served
        finally:
            server.terminate()
            server.wait(10)


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser that was nowhere yet. No page of it may break its own policy or throw."""
    wrong: list[str] = []
    with chromium.new_context() as context:
        context.set_default_timeout(SLOW_MS)
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        context.on("console", lambda message: wrong.append(message.text) if "Policy" in message.text else None)
        yield context
    assert wrong == []


def read_captcha(page: Page, stack: Any) -> str:
    """Read the captcha that a page shows, as a person does."""
    picture = page.locator("#sign-in img")
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 0
    found = re.search(r"/captchas/([^/]+)/image", picture.get_attribute("src") or "")
    assert found
    return str(stack.captcha_answer(found[1]))


def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"#sign-in [name={name}]").fill(value)


def register(page: Page, stack: Any, mobile: str, *, computes: bool = False) -> None:
    """Register by the page, and wait until it shows who is signed in."""
    expect(page.locator("#sign-in")).to_be_visible()
    expect(page.locator("#sign-in img")).to_have_attribute("src", re.compile("image"))
    fill(page, mobile=mobile, password=PASSWORD)
    if computes:
        page.locator("[name=compute]").click()
        expect(page.locator("[name=captcha_text]")).to_have_value(re.compile(r"\d+"))
    else:
        fill(page, captcha_text=read_captcha(page, stack))
    page.locator("[name=send]").click()
    expect(page.locator("[name=send]")).to_have_text(re.compile(r"Again in \d+ s"))
    text = stack.wait_for_texts(mobile, 1)[0]["text"]
    fill(page, sms_code=re.findall(r"(?<!\d)\d{6}(?!\d)", text)[0])
    page.locator("[name=register]").click()
    expect(page.locator("#signed-in output")).to_have_text(re.compile("."))


def log_in(page: Page, mobile: str) -> None:
    expect(page.locator("#sign-in")).to_be_visible()
    fill(page, mobile=mobile, password=PASSWORD)
    page.get_by_role("button", name="Log in").click()


def spoil_access_token(page: Page) -> None:
    """Make the access token one that is refused, as it is when its time is over."""
    page.evaluate("""() => {
      const session = JSON.parse(localStorage.getItem("session"));
      localStorage.setItem("session", JSON.stringify({...session, access_token: "over"}));
    }""")


@pytest.mark.browser
@pytest.mark.parametrize("computes", [False, True], ids=["picture", "pow"])
def test_another_origin_registers_stays_signed_in_and_leaves(
    frontend: Frontend, context: BrowserContext, new_mobile: Callable[[], str], computes: bool
) -> None:
    page, mobile = context.new_page(), new_mobile()
    page.goto(frontend.elsewhere)
    register(page, frontend.stack, mobile, computes=computes)
    page.reload()
    expect(page.locator("#signed-in")).to_be_visible()
    spoil_access_token(page)
    page.locator("[name=show]").click()
    page.wait_for_function("() => JSON.parse(localStorage.getItem('session')).access_token !== 'over'")
    expect(page.locator("#signed-in")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    log_in(page, mobile)
    expect(page.locator("#signed-in")).to_be_visible()
    assert context.cookies([frontend.elsewhere, frontend.stack.url]) == []


@pytest.mark.browser
def test_the_own_origin_has_cookies_and_no_tokens(
    frontend: Frontend, context: BrowserContext, new_mobile: Callable[[], str]
) -> None:
    page, mobile = context.new_page(), new_mobile()
    page.goto(frontend.at_the_gateway)
    register(page, frontend.stack, mobile)
    assert {cookie["name"]: cookie["httpOnly"] for cookie in context.cookies()} == {
        "xinjing_at": True,
        "xinjing_rt": True,
    }
    assert page.evaluate("localStorage.length") == 0
    context.clear_cookies(name="xinjing_at")  # Its time is over: the gateway renews it on the way.
    page.reload()
    expect(page.locator("#signed-in")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.locator("#sign-in")).to_be_visible()
    assert context.cookies() == []


@pytest.mark.browser
def test_several_tabs_ask_for_one_refresh_and_hear_of_a_log_out(
    frontend: Frontend, context: BrowserContext, new_mobile: Callable[[], str]
) -> None:
    first = context.new_page()
    first.goto(frontend.elsewhere)
    register(first, frontend.stack, new_mobile())
    second = context.new_page()
    second.goto(frontend.elsewhere)
    expect(second.locator("#signed-in")).to_be_visible()
    refreshes: list[Request] = []
    context.on("request", lambda request: refreshes.append(request) if request.url.endswith(REFRESH) else None)
    spoil_access_token(first)
    with first.expect_response("**/users/me"), second.expect_response("**/users/me"):
        for page in (first, second):
            page.evaluate("() => { for (let n = 0; n < 3; n++) document.querySelector('[name=show]').click(); }")
    for page in (first, second):
        page.wait_for_function("() => JSON.parse(localStorage.getItem('session')).access_token !== 'over'")
        page.wait_for_load_state("networkidle")
        expect(page.locator("#signed-in")).to_be_visible()
    assert len([request for request in refreshes if request.method == "POST"]) == 1
    first.get_by_role("button", name="Log out").click()
    expect(second.locator("#sign-in")).to_be_visible()


def lose_first_answer(page: Page, addresses: str) -> list[int]:
    """Let the answer to the first POST to some addresses be lost on its way; its status is in the list then."""
    lost: list[int] = []

    def lose(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route(addresses, lose)
    return lost


@pytest.mark.browser
def test_a_refresh_whose_answer_is_lost_is_asked_for_again(
    frontend: Frontend, context: BrowserContext, new_mobile: Callable[[], str]
) -> None:
    page = context.new_page()
    page.goto(frontend.elsewhere)
    register(page, frontend.stack, new_mobile())
    lost = lose_first_answer(page, f"**{REFRESH}")
    spoil_access_token(page)
    page.locator("[name=show]").click()
    expect(page.locator("#message")).not_to_be_empty()
    assert lost == [200]
    page.locator("[name=show]").click()
    page.wait_for_function("() => JSON.parse(localStorage.getItem('session')).access_token !== 'over'")
    expect(page.locator("#signed-in")).to_be_visible()


@pytest.mark.browser
def test_a_code_whose_answer_is_lost_is_texted_once(
    frontend: Frontend, context: BrowserContext, new_mobile: Callable[[], str]
) -> None:
    page, mobile = context.new_page(), new_mobile()
    lost = lose_first_answer(page, "**/api/v1/sms-codes")
    page.goto(frontend.elsewhere)
    register(page, frontend.stack, mobile)
    assert lost == [202]
    assert len(frontend.stack.inbox(mobile)) == 1


@pytest.mark.browser
def test_refusals_are_shown_and_a_session_that_was_ended_asks_to_log_in(
    frontend: Frontend, context: BrowserContext, new_mobile: Callable[[], str]
) -> None:
    page, mobile = context.new_page(), new_mobile()
    page.goto(frontend.elsewhere)
    log_in(page, mobile)
    expect(page.locator("#message")).to_have_text("The mobile or the secret is wrong.")
    fill(page, captcha_text="wrong!")
    page.locator("[name=send]").click()
    expect(page.locator("#message")).to_have_text(re.compile("captcha"))
    register(page, frontend.stack, mobile)
    token = page.evaluate("JSON.parse(localStorage.getItem('session')).access_token")
    bearer = {"Authorization": f"Bearer {token}"}
    assert requests.delete(f"{frontend.stack.url}/api/v1/sessions?scope=all", headers=bearer, timeout=20).ok
    page.locator("[name=show]").click()
    expect(page.locator("#sign-in")).to_be_visible()
    assert page.evaluate("localStorage.length") == 0


@pytest.mark.browser
def test_an_origin_that_is_not_listed_reads_nothing(frontend: Frontend, chromium: Browser) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(frontend.elsewhere.replace("127.0.0.1", "localhost"))
        expect(page.locator("#message")).to_have_text("Nothing answered. Try again.")
