"""Journeys of a person with a browser: read, register, leave, come back; by day, by night, and without JavaScript.

Every page must leave the console silent: a violation of the content policy speaks there.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from stage.windows import Window, silent_window

pytestmark = pytest.mark.browser
DESKTOP_LIGHT = {"color_scheme": "light", "viewport": {"width": 1280, "height": 960}}
PHONE_DARK = {
    "color_scheme": "dark",
    "viewport": {"width": 360, "height": 740},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
NARROW = {"color_scheme": "light", "viewport": {"width": 320, "height": 640}}
PASSWORD = "long words of a journey"
NICK_NAME = "林间读者"


class Visit(Window):
    """A window of a person who visits the site."""

    def open_first_article(self) -> None:
        """Follow the first story of the home page."""
        self.page.locator("article h2 a").first.click()
        expect(self.page.locator("article.reading h1")).to_be_visible()

    def open_dialog(self, name: str) -> Locator:
        """Open a dialog by the button in the page's header."""
        self.page.get_by_role("banner").get_by_role("button", name=name).click()
        dialog = self.page.get_by_role("dialog", name=name)
        expect(dialog).to_be_visible()
        return dialog


Open = Callable[..., Visit]


@pytest.fixture
def open_window(chromium: Browser, stack: Any) -> Iterator[Open]:
    """Open a window at the home page; at the end its console must have been silent."""
    with ExitStack() as ends:

        def open_window(**options: Any) -> Visit:
            window = silent_window(chromium, Visit, locale="zh-CN", base_url=stack.url, **options)
            visit = ends.enter_context(window)
            visit.page.goto("/")
            return visit

        yield open_window


def picture_path(captcha_id: str) -> str:
    """Tell where the dialog shows the picture of a captcha from."""
    return f"/api/v1/captchas/{captcha_id}/image?scale=2"


def fill_captcha(dialog: Locator, stack: Any, answer: str | None = None) -> str:
    """Answer the captcha that is shown, rightly if no answer is given, and return its id."""
    picture = dialog.get_by_alt_text("图形验证码，看不清可换一张")
    expect(picture).to_be_visible()
    expect(picture).to_have_attribute("src", re.compile("^" + picture_path("[^/]+").replace("?", r"\?") + "$"))
    captcha_id = str(picture.get_attribute("src")).split("/")[4]
    assert picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth > 0)")
    dialog.get_by_label("看到或听到的字母").fill(answer or stack.captcha_answer(captcha_id))
    return captcha_id


def fill_code(dialog: Locator, stack: Any, mobile: str, *, texts: int) -> None:
    """Ask for a code and copy it from the inbox; ``texts`` is how many the mobile has then."""
    dialog.get_by_role("button", name="获取验证码").click()
    expect(dialog.get_by_role("status")).to_have_text("验证码已发送，请查看短信。")
    expect(dialog.get_by_role("button", name=re.compile(r"^[1-6]?\d 秒后重发$"))).to_be_disabled()
    code = re.search(r"(?<!\d)\d{6}(?!\d)", stack.wait_for_texts(mobile, texts)[0]["text"])
    assert code
    dialog.get_by_label("短信验证码").fill(code[0])


def register(visit: Visit, stack: Any, mobile: str) -> None:
    """Register by the dialog, from the home page."""
    dialog = visit.open_dialog("注册")
    dialog.get_by_label("手机号").fill(mobile)
    fill_captcha(dialog, stack)
    fill_code(dialog, stack, mobile, texts=1)
    dialog.get_by_label("昵称").fill(f"{NICK_NAME}{mobile[-6:]}")
    dialog.get_by_label("设置密码").fill(PASSWORD)
    dialog.get_by_role("button", name="注册并登录").click()
    expect_signed_in(visit, mobile)


def expect_signed_in(visit: Visit, mobile: str) -> None:
    """Expect that the server shows the nick name."""
    expect(visit.page.get_by_role("banner").get_by_text(f"{NICK_NAME}{mobile[-6:]}")).to_be_visible()


def log_out(visit: Visit) -> None:
    """Log out by the button in the header."""
    visit.page.get_by_role("button", name="退出").click()
    expect(visit.page.get_by_role("banner").get_by_role("button", name="登录")).to_be_visible()


def test_a_person_registers_leaves_and_comes_back(open_window: Open, stack: Any, mobile: str) -> None:
    visit = open_window(**DESKTOP_LIGHT)
    visit.open_first_article()
    article = visit.page.url
    visit.page.goto("/")
    register(visit, stack, mobile)
    visit.page.goto(article)
    expect_signed_in(visit, mobile)  # Not the copy that nobody's visit has left in the browser.
    assert visit.page.evaluate("document.cookie") == ""
    log_out(visit)
    panel = visit.open_dialog("登录").get_by_role("tabpanel", name="密码登录")
    panel.get_by_label("手机号").fill(mobile)
    panel.get_by_label("密码", exact=True).fill(PASSWORD)
    panel.get_by_role("button", name="登录").click()
    expect_signed_in(visit, mobile)


@pytest.mark.parametrize(
    ("back", "path"),
    [
        ("/?led=back", "/?led=back"),
        ("https://evil.example/", "/?login"),
        ("//evil.example/", "/?login"),
        ("javascript:0", "/?login"),
    ],
)
def test_a_person_who_was_led_to_sign_in_is_led_back_on_this_host_alone(
    open_window: Open, mobile: str, register_account: Callable[[str], None], back: str, path: str
) -> None:
    register_account(mobile)
    visit = open_window(**DESKTOP_LIGHT)
    home = visit.page.url
    visit.page.goto(f"{home}?{urlencode({'login': 1, 'next': back})}")
    panel = visit.page.get_by_role("dialog", name="登录").get_by_role("tabpanel", name="密码登录")
    expect(panel.get_by_label("手机号")).to_be_focused()
    panel.get_by_label("手机号").fill(mobile)
    panel.get_by_label("密码", exact=True).fill(PASSWORD)
    panel.get_by_role("button", name="登录").click()
    expect_signed_in(visit, mobile)
    assert visit.page.url.startswith(home.removesuffix("/") + path)


def test_a_person_logs_in_by_code_on_a_phone(
    open_window: Open, stack: Any, mobile: str, register_account: Callable[[str], None]
) -> None:
    register_account(mobile)
    visit = open_window(**PHONE_DARK)
    dialog = visit.open_dialog("登录")
    dialog.get_by_role("tab", name="验证码登录").click()
    panel = dialog.get_by_role("tabpanel", name="验证码登录")
    panel.get_by_label("手机号").fill(mobile)
    fill_captcha(panel, stack)
    fill_code(panel, stack, mobile, texts=2)
    panel.get_by_role("button", name="登录").click()
    expect_signed_in(visit, mobile)


@pytest.fixture
def register_account(app: Any, texted_code: Callable[..., str]) -> Callable[[str], None]:
    """Register a mobile without a browser."""

    def register_account(mobile: str) -> None:
        body = {
            "mobile": mobile,
            "sms_code": texted_code(mobile),
            "password": PASSWORD,
            "nick_name": f"{NICK_NAME}{mobile[-6:]}",
        }
        assert app("POST", "/api/v1/users", json=body).status_code == 201

    return register_account


def test_a_wrong_captcha_is_said_and_replaced(open_window: Open, stack: Any, mobile: str) -> None:
    visit = open_window(**DESKTOP_LIGHT)
    dialog = visit.open_dialog("注册")
    dialog.get_by_label("手机号").fill(mobile)
    first = fill_captcha(dialog, stack, "????")
    dialog.get_by_role("button", name="获取验证码").click()
    expect(dialog.get_by_role("alert")).to_have_text("验证码输入有误")
    expect(dialog.get_by_role("alert")).to_be_focused()
    expect(dialog.get_by_role("img")).not_to_have_attribute("src", picture_path(first))
    fill_captcha(dialog, stack)
    fill_code(dialog, stack, mobile, texts=1)
    expect(dialog.get_by_role("alert")).to_be_hidden()
    assert len(visit.messages) == 1
    assert "status of 400" in visit.messages.pop()


def test_a_person_who_mistypes_answers_a_captcha_and_gets_in(
    open_window: Open, stack: Any, mobile: str, register_account: Callable[[str], None]
) -> None:
    register_account(mobile)
    visit = open_window(**PHONE_DARK)
    panel = visit.open_dialog("登录").get_by_role("tabpanel", name="密码登录")
    alert, picture = panel.get_by_role("alert"), panel.get_by_alt_text("图形验证码，看不清可换一张")
    panel.get_by_label("手机号").fill(mobile)
    panel.get_by_label("密码", exact=True).fill("not the password")
    for _ in range(3):
        panel.get_by_role("button", name="登录").click()
        expect(alert).to_have_text("用户名或密码错误")
        expect(picture).to_be_hidden()
    panel.get_by_role("button", name="登录").click()
    expect(alert).to_have_text("请输入图片验证码")
    expect(panel.get_by_label("看到或听到的字母")).to_have_attribute("aria-invalid", "true")
    first = fill_captcha(panel, stack, "????")
    assert barriers(visit.page) == []
    panel.get_by_role("button", name="登录").click()
    expect(alert).to_have_text("验证码输入有误")
    expect(picture).not_to_have_attribute("src", picture_path(first))
    fill_captcha(panel, stack)
    panel.get_by_label("密码", exact=True).fill(PASSWORD)
    panel.get_by_role("button", name="登录").click()
    expect_signed_in(visit, mobile)
    assert [re.search(r"status of (\d+)", message)[1] for message in visit.messages] == [*["401"] * 3, "403", "400"]
    visit.messages.clear()


def test_a_refused_password_is_said_at_its_field(open_window: Open, stack: Any, mobile: str) -> None:
    visit = open_window(**DESKTOP_LIGHT)
    dialog = visit.open_dialog("注册")
    dialog.get_by_label("手机号").fill(mobile)
    fill_captcha(dialog, stack)
    fill_code(dialog, stack, mobile, texts=1)
    dialog.get_by_label("设置密码").fill("password1")
    dialog.get_by_role("button", name="注册并登录").click()
    expect(dialog.get_by_role("alert")).to_be_focused()
    expect(dialog.get_by_role("alert")).to_contain_text("最常见的密码之一")
    expect(dialog.get_by_label("设置密码")).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_label("设置密码")).to_have_accessible_description(re.compile("请换一个密码"))
    dialog.get_by_label("设置密码").fill(PASSWORD)
    dialog.get_by_role("button", name="注册并登录").click()
    expect(visit.page.get_by_role("button", name="退出")).to_be_visible()
    assert len(visit.messages) == 1
    assert "status of 422" in visit.messages.pop()


FORMS = ("register", "by-password", "by-code")
HELPERS = """form => [...form.querySelectorAll("input")].map(input => [input.name, input.autocomplete])"""
CREDENTIAL = """form => {
  const credential = new PasswordCredential(form);
  return [credential.id, credential.password];
}"""


def test_password_managers_take_the_mobile_for_the_accounts_name(open_window: Open, mobile: str) -> None:
    """Chromium reads a credential from a form by its own rules, and an `autocomplete` it does not know as empty."""
    page = open_window(**DESKTOP_LIGHT).page
    register, login, by_code = (page.locator(f"#{part} form[action]") for part in FORMS)
    for form in (register, login):
        form.locator("[name=mobile]").evaluate("(field, text) => { field.value = text }", mobile)
        form.locator("[name=password]").evaluate("(field, text) => { field.value = text }", PASSWORD)
        assert form.evaluate(CREDENTIAL) == [mobile, PASSWORD]
    assert register.evaluate(HELPERS) == [
        ["mobile", "username"],
        ["password", "new-password"],
        ["captcha_text", "off"],
        ["sms_code", "one-time-code"],
        ["nick_name", "nickname"],
    ]
    assert login.evaluate(HELPERS) == [
        ["mobile", "username"],
        ["password", "current-password"],
        ["captcha_text", "off"],
    ]
    assert by_code.evaluate(HELPERS) == [
        ["mobile", "tel-national"],
        ["captcha_text", "off"],
        ["sms_code", "one-time-code"],
    ]


def test_chromium_has_no_advice_about_the_forms(open_window: Open) -> None:
    """Its developer tools name fields whose `autocomplete` they do not know, and forms that password managers misread.

    They do not know `nickname`, which HTML has.
    """
    visit = open_window(**DESKTOP_LIGHT)
    devtools = visit.page.context.new_cdp_session(visit.page)
    unknown: set[int] = set()
    devtools.on("Audits.issueAdded", lambda event: unknown.add(_violating_node(event["issue"])))
    devtools.on("Log.entryAdded", lambda event: visit.messages.append(event["entry"]["text"]))
    devtools.send("Audits.enable")
    devtools.send("Log.enable")
    visit.open_dialog("登录")
    visit.page.get_by_role("dialog", name="登录").get_by_role("button", name="注册").click()
    expect(visit.page.get_by_role("dialog", name="注册")).to_be_visible()
    nodes = [devtools.send("DOM.describeNode", {"backendNodeId": node})["node"] for node in unknown]
    assert ["register-nick-name" in node["attributes"] for node in nodes] == [True] * len(nodes)


def _violating_node(issue: dict[str, Any]) -> int:
    return int(issue["details"]["genericIssueDetails"]["violatingNodeId"])


def test_another_captcha_is_one_click_away(open_window: Open) -> None:
    visit = open_window(**DESKTOP_LIGHT)
    dialog = visit.open_dialog("注册")
    picture = dialog.get_by_role("img")
    expect(picture).to_be_visible()
    before = picture.get_attribute("src") or ""
    dialog.get_by_role("button", name="换一张").click()
    expect(picture).not_to_have_attribute("src", before)
    expect(dialog.get_by_label("看到或听到的字母")).to_be_focused()


def tab_to(page: Page, control: Locator) -> None:
    """Press the tab key until a control has the focus."""
    expect(control).to_be_visible()
    for _ in range(60):
        if control.evaluate("control => control === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {control}")


def test_a_person_without_sight_and_hearing_registers_by_keyboard(open_window: Open, stack: Any, mobile: str) -> None:
    visit = open_window(**DESKTOP_LIGHT)
    page, keys = visit.page, visit.page.keyboard
    tab_to(page, page.get_by_role("banner").get_by_role("button", name="注册"))
    keys.press("Enter")
    dialog = page.get_by_role("dialog", name="注册")
    expect(dialog.get_by_label("手机号")).to_be_focused()
    keys.type(mobile)
    tab_to(page, dialog.get_by_label("设置密码"))
    keys.type(PASSWORD)
    tab_to(page, dialog.get_by_role("button", name="让设备计算"))
    keys.press("Enter")
    expect(dialog.get_by_role("button", name=re.compile("取消计算|改用图片"))).to_be_focused()
    expect(dialog.get_by_role("progressbar", name="计算进度")).to_be_visible()
    expect(dialog.get_by_role("img")).to_be_hidden()
    expect(dialog.get_by_role("status")).to_have_text("计算完成，请继续下一步。", timeout=30_000)
    expect(dialog.get_by_role("button", name="改用图片")).to_be_focused()
    assert barriers(page) == []
    tab_to(page, dialog.get_by_role("button", name="获取验证码"))
    keys.press("Enter")
    expect(dialog.get_by_label("短信验证码")).to_be_focused()
    expect(dialog.get_by_role("status")).to_have_text("验证码已发送，请查看短信。")
    code = re.search(r"(?<!\d)\d{6}(?!\d)", stack.wait_for_texts(mobile, 1)[0]["text"])
    assert code
    keys.type(code[0])
    tab_to(page, dialog.get_by_label("昵称"))
    keys.type(f"{NICK_NAME}{mobile[-6:]}")
    keys.press("Enter")
    expect_signed_in(visit, mobile)


def test_computing_can_be_cancelled(open_window: Open) -> None:
    visit = open_window(**DESKTOP_LIGHT)
    dialog = visit.open_dialog("注册")
    compute, stop = (
        dialog.get_by_role("button", name=name) for name in ("让设备计算", re.compile("取消计算|改用图片"))
    )
    compute.click()
    expect(stop).to_be_focused()
    stop.press("Enter")
    expect(compute).to_be_focused()
    expect(dialog.get_by_role("img")).to_be_visible()
    expect(dialog.get_by_role("progressbar")).to_be_hidden()
    expect(dialog.get_by_role("status")).to_have_count(0)
    expect(dialog.get_by_label("看到或听到的字母")).to_be_enabled()
    expect(dialog.get_by_label("看到或听到的字母")).to_have_value("")


def test_a_code_is_not_asked_for_while_the_device_computes(open_window: Open, mobile: str) -> None:
    visit = open_window(**DESKTOP_LIGHT)
    visit.page.evaluate("() => { Worker.prototype.postMessage = () => {}; }")  # A device that never comes to an end.
    dialog = visit.open_dialog("注册")
    dialog.get_by_label("手机号").fill(mobile)
    dialog.get_by_role("button", name="让设备计算").click()
    expect(dialog.get_by_role("status")).to_have_text("设备正在计算，请稍候。")
    assert barriers(visit.page) == []
    dialog.get_by_role("button", name="获取验证码").click()
    expect(dialog.get_by_role("status")).to_have_text("还没算完，请再等一会儿。")
    expect(dialog.get_by_role("alert")).to_be_hidden()


def test_a_device_that_fails_leads_back_to_the_picture(open_window: Open) -> None:
    visit = open_window(**DESKTOP_LIGHT)
    visit.page.evaluate("() => { Worker.prototype.postMessage = function () { this.onerror(new Event('error')); }; }")
    dialog = visit.open_dialog("注册")
    dialog.get_by_role("button", name="让设备计算").click()
    expect(dialog.get_by_role("img")).to_be_visible()
    expect(dialog.get_by_role("status")).to_have_text("设备没能算出来，请看图片。")
    expect(dialog.get_by_role("button", name="让设备计算")).to_be_focused()


def test_a_captcha_that_ran_out_is_replaced_by_one_of_its_kind(open_window: Open) -> None:
    visit = open_window(**DESKTOP_LIGHT)
    visit.page.clock.install()
    dialog = visit.open_dialog("注册")
    picture, answer = dialog.get_by_role("img"), dialog.locator("[name=captcha_text]")
    expect(picture).to_be_visible()
    before = picture.get_attribute("src") or ""
    visit.page.clock.fast_forward(181_000)
    expect(picture).not_to_have_attribute("src", before)
    dialog.get_by_role("button", name="让设备计算").click()
    expect(dialog.get_by_role("status")).to_have_text("计算完成，请继续下一步。", timeout=30_000)
    number = answer.input_value()
    visit.page.clock.fast_forward(181_000)
    expect(answer).not_to_have_value(number)
    expect(dialog.get_by_role("status")).to_have_text("计算完成，请继续下一步。", timeout=30_000)


def test_the_worker_finds_every_length_of_number(open_window: Open) -> None:
    visit = open_window(**DESKTOP_LIGHT, bypass_csp=True)  # Our policies let nobody but app.js start a worker.
    address = visit.page.locator("x-captcha").first.get_attribute("data-worker")
    # Challenges of texts below, at and above the block size of SHA-256, which ours sit astride.
    tasks = [
        {"id": "x" * length, "number": number, "target": sha256(f"{'x' * length}:{number}".encode()).hexdigest()}
        for length in (1, 53, 54, 61, 62, 63, 64, 117, 118, 126, 127)
        for number in (0, 9, 10, 99, 100, 9999, 10_000)
    ]
    found = visit.page.evaluate(
        """async ([address, tasks]) => {
            const solve = ({ id, target }) => new Promise((resolve) => {
                const worker = new Worker(address);
                worker.onmessage = ({ data }) => "number" in data && resolve(data.number);
                worker.postMessage({ id, target, numbers: 10001 });
            });
            return [await Promise.all(tasks.map(solve)), await solve({ id: "x", target: "0".repeat(64) })];
        }""",
        [address, tasks],
    )
    assert found == [[task["number"] for task in tasks], None]


def test_the_characters_can_be_heard(open_window: Open, stack: Any, mobile: str) -> None:
    visit = open_window(**DESKTOP_LIGHT)
    dialog = visit.open_dialog("注册")
    listen = dialog.get_by_role("button", name="听声音")
    expect(listen).to_be_visible()
    with visit.page.expect_response(re.compile(r"/api/v1/captchas/[^/]+/audio\?lang=zh$")) as answer:
        listen.press("Enter")
    assert answer.value.status in {200, 206}  # A player may ask for the part from 0 on.
    assert answer.value.headers["content-type"] == "audio/wav"
    playing = dialog.get_by_role("button", name="停止播放")
    expect(playing).to_be_focused()
    sound = dialog.locator("audio")
    assert sound.evaluate(
        "sound => sound.currentTime > 0 || new Promise(resolve => sound.ontimeupdate = () => resolve(true))"
    )
    assert sound.evaluate("sound => sound.error") is None
    playing.press("Enter")
    expect(listen).to_be_focused()
    assert barriers(visit.page) == []
    dialog.get_by_label("手机号").fill(mobile)
    fill_captcha(dialog, stack)  # What was heard is what is seen.
    fill_code(dialog, stack, mobile, texts=1)


def test_the_picture_is_sharp_and_keeps_its_shape(open_window: Open) -> None:
    for options in (DESKTOP_LIGHT, PHONE_DARK):
        picture = open_window(**options).open_dialog("注册").get_by_role("img")
        expect(picture).to_be_visible()
        assert picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == 480
        box = picture.bounding_box()
        assert box is not None
        assert 240 <= box["width"] <= 300
        assert box["width"] / box["height"] == pytest.approx(480 / 180, abs=0.1)


def test_reading_an_article_counts_a_view(open_window: Open) -> None:
    visit = open_window(**DESKTOP_LIGHT)
    with visit.page.expect_response(re.compile(r"/api/v1/news/\d+/views$")) as answer:
        visit.open_first_article()
    assert answer.value.status == 204


def test_the_chosen_look_is_kept(open_window: Open) -> None:
    visit = open_window(**DESKTOP_LIGHT)
    look = "document.documentElement.dataset.theme ?? 'auto'"
    button = visit.page.get_by_role("button", name=re.compile("^外观"))
    for expected in ("light", "dark"):
        button.click()
        visit.page.reload()
        assert visit.page.evaluate(look) == expected
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 20, 18)"
    button.click()
    visit.page.reload()
    assert visit.page.evaluate(look) == "auto"


@pytest.mark.parametrize("options", [DESKTOP_LIGHT, PHONE_DARK], ids=["desktop-light", "phone-dark"])
def test_pages_have_no_known_barriers(
    open_window: Open, options: dict[str, Any], keep: Callable[[Page, str], None]
) -> None:
    visit = open_window(**options)
    is_phone = options is PHONE_DARK
    keep(visit.page, "home-phone-dark.png" if is_phone else "home-desktop-light.png")
    assert barriers(visit.page) == []
    dialog = visit.open_dialog("注册")
    expect(dialog.get_by_role("img")).to_be_visible()
    if not is_phone:
        keep(visit.page, "register.png")
    assert barriers(visit.page) == []
    visit.page.keyboard.press("Escape")
    visit.open_dialog("登录")
    assert barriers(visit.page) == []
    visit.page.keyboard.press("Escape")
    visit.open_first_article()
    if not is_phone:
        keep(visit.page, "article.png")
    assert barriers(visit.page) == []


def settle(page: Page) -> None:
    """Wait until no animation is under way: a rising dialog has half its colours, and odd sizes."""
    page.evaluate("Promise.allSettled(document.getAnimations().map(animation => animation.finished))")


def barriers(page: Page) -> list[tuple[str, str]]:
    """Ask axe what keeps people out of the page as it stands: rules and the first element of each."""
    settle(page)
    found = Axe().run(page).response["violations"]
    return [(violation["id"], violation["nodes"][0]["html"]) for violation in found]


def test_pages_fit_320_pixels(open_window: Open) -> None:
    visit = open_window(**NARROW)
    overflow = "document.documentElement.scrollWidth - innerWidth"
    assert visit.page.evaluate(overflow) <= 0
    visit.open_dialog("注册")
    assert visit.page.evaluate(overflow) <= 0
    assert visit.page.locator("#register").evaluate("dialog => dialog.scrollWidth - dialog.clientWidth") <= 0
    visit.page.keyboard.press("Escape")
    visit.open_first_article()
    assert visit.page.evaluate(overflow) <= 0


def test_every_control_is_large_enough_for_a_thumb(open_window: Open) -> None:
    visit = open_window(**PHONE_DARK)
    dialog = visit.open_dialog("注册")
    expect(dialog.get_by_role("img")).to_be_visible()
    settle(visit.page)
    small = []
    for control in [*dialog.get_by_role("button").all(), *dialog.get_by_role("textbox").all()]:
        box = control.bounding_box()
        if box is None or box["height"] < 44 or box["width"] < 44:
            small.append(control.evaluate("element => element.outerHTML"))
    assert small == []


def test_the_site_reads_without_javascript(open_window: Open) -> None:
    visit = open_window(**DESKTOP_LIGHT, java_script_enabled=False)
    page = visit.page
    expect(page.get_by_role("button")).to_have_count(0)
    expect(page.locator("noscript p")).to_contain_text("登录和注册需要开启 JavaScript")
    first = page.locator("article h2 a").first.inner_text()
    page.get_by_role("link", name="下一页").click()
    expect(page.get_by_role("link", name="回到第一页")).to_be_visible()
    assert page.locator("article h2 a").first.inner_text() != first
    page.get_by_role("navigation", name="栏目").get_by_role("link", name="股市").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("股市")
    visit.open_first_article()
    assert page.locator("article.reading .body").inner_text().strip()


@pytest.mark.parametrize("options", [DESKTOP_LIGHT, PHONE_DARK], ids=["desktop-light", "phone-dark"])
@pytest.mark.parametrize("path", ["/news/999999999", "/nothing"], ids=["of-news-service", "of-the-gateway"])
def test_what_is_missing_is_a_page_with_a_way_home(open_window: Open, path: str, options: dict[str, Any]) -> None:
    visit = open_window(**options)
    answer = visit.page.goto(path)
    assert answer
    assert answer.status == 404
    expect(visit.page.get_by_text(f"编号 {answer.headers['x-request-id']}")).to_be_visible()
    assert barriers(visit.page) == []
    assert visit.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    visit.page.get_by_role("link", name="回到首页").click()
    expect(visit.page.locator("article").first).to_be_visible()
    assert len(visit.messages) == 1
    assert "status of 404" in visit.messages.pop()
