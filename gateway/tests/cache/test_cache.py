"""The micro-cache against a service that is a list of answers: RFC 9111 as a table, and the order of its steps."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.contextvars import get_contextvars
from werkzeug.http import http_date

from chassis.errors import DependencyUnavailable, UpstreamTimeout, XinjingError
from chassis.web import Access
from gateway.auth.cookies import SessionCookies
from gateway.cache.cache import MicroCache
from gateway.cache.fetches import Fetch
from gateway.proxy.body import Body
from gateway.proxy.request import ProxyRequest, request_headers
from gateway.proxy.responses import ProxyResponse, ResponsePolicy
from gateway.routing.rules import Rule, Service
from gateway.upstreams.upstream import UpstreamRequest

WAIT_SECONDS = 20
NEWS = Rule("GET", "/", Service.NEWS, Access.PUBLIC)
PAGE = Rule("GET", "/", Service.NEWS, Access.OPTIONAL)
COOKIES = SessionCookies(is_secure=False, session_days=1)
SESSION = {"Cookie": "xinjing_at=token"}
Answer = ProxyResponse | XinjingError


def answer(*lines: str, status: int = 200, body: bytes = b"whole") -> ProxyResponse:
    """A service's answer; a line is ``Name: value``."""
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return ProxyResponse(status, [*headers, ("Content-Length", str(len(body)))], [body])


@dataclass
class Setting:
    """A cache, its clocks, and a service that gives the answers of a list, the last one again and again."""

    clock: Any
    make_request: Callable[..., ProxyRequest]
    answers: list[Answer] = field(default_factory=list)
    asked: list[UpstreamRequest] = field(default_factory=list)
    on_send: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self.cache = MicroCache(
            most_bytes=8_000_000,
            cookies=COOKIES,
            policy=ResponsePolicy(strict_transport=False),
            clock=self.clock,
            wall_clock=lambda: self.clock.now + 1_800_000_000,
        )

    def send(self, request: UpstreamRequest) -> ProxyResponse:
        self.asked.append(request)
        self.on_send()
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, XinjingError):
            raise found
        return ProxyResponse(found.status, list(found.headers), found.body, found.reason)

    def get(self, *, rule: Rule = NEWS, method: str = "GET", **headers: str) -> ProxyResponse:
        request = self.make_request(method, **headers)

        def write() -> UpstreamRequest:
            lines = request_headers(request, identity=[], request_id="r", strip_cookies=COOKIES.without_session)
            return UpstreamRequest(method, request.target.raw, lines, Body(b"", 0))

        return self.cache.answer(rule, request, Fetch(write, self.send))

    def conditions(self) -> list[tuple[str, str]]:
        """What the service was told last of what is known already."""
        return [line for line in self.asked[-1].headers if line[0].startswith("If-") or line[0] == "Range"]

    def await_asked(self, count: int) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while len(self.asked) < count:
            assert time.monotonic() < end
            time.sleep(0.005)

    def await_hit(self, body: bytes) -> ProxyResponse:
        end = time.monotonic() + WAIT_SECONDS
        while (found := self.get()).body != [body] or get_contextvars()["cache"] != "hit":
            assert time.monotonic() < end
            time.sleep(0.005)
        return found

    def date(self, seconds: float = 0) -> str:
        return http_date(self.clock.now + 1_800_000_000 + seconds)


@pytest.fixture
def setting(clock: Any, make_request: Callable[..., ProxyRequest]) -> Iterator[Setting]:
    made = Setting(clock, make_request)
    made.cache.refreshes.start()
    yield made
    made.cache.refreshes.stop()


def value(response: ProxyResponse, name: str) -> str | None:
    found = [text for each, text in response.headers if each.lower() == name.lower()]
    assert len(found) < 2, found
    return found[0] if found else None


def result() -> Any:
    """How the last read of this thread was answered, as the log line will say."""
    return get_contextvars()["cache"]


ETAG = 'ETag: "a"'


@pytest.mark.parametrize(
    ("lines", "after_seconds", "request_headers", "expected"),
    [
        # The service's answer, the seconds until the second request, that request, and how it is answered.
        (["Cache-Control: max-age=10"], 9, {}, "hit"),
        (["Cache-Control: max-age=10", ETAG], 10, {}, "revalidated"),
        (["Cache-Control: max-age=10"], 10, {}, "miss"),
        (["Cache-Control: max-age=10", "Age: 8"], 1, {}, "hit"),
        (["Cache-Control: max-age=10", "Age: 8"], 2, {}, "miss"),
        (["Cache-Control: s-maxage=1, max-age=10"], 2, {}, "miss"),
        (["CDN-Cache-Control: max-age=10", "Cache-Control: no-store"], 9, {}, "hit"),
        (["CDN-Cache-Control: no-store", "Cache-Control: max-age=10"], 0, {}, "miss"),
        (["Cache-Control: no-cache, max-age=10", ETAG], 0, {}, "revalidated"),
        (["Cache-Control: private, max-age=10", ETAG], 0, {}, "miss"),
        (["Cache-Control: max-age=10", "Set-Cookie: a=b"], 0, {}, "miss"),
        (["Cache-Control: max-age=10", "Vary: *"], 0, {}, "miss"),
        (["Cache-Control: max-age=10", "Vary: Accept"], 0, {}, "hit"),
        (["Cache-Control: max-age=10", "Vary: Accept"], 0, {"Accept": "a/b"}, "miss"),
        (["Cache-Control: max-age=10", "Vary: Cookie"], 0, SESSION, "hit"),
        (["Cache-Control: max-age=10", "Vary: Cookie"], 0, {"Cookie": "theme=dark"}, "miss"),
        (["Cache-Control: max-age=10", "Vary: Authorization"], 0, {"Authorization": "Bearer x"}, "hit"),
        ([ETAG], 0, {}, "revalidated"),
        ([], 0, {}, "miss"),
        (["Cache-Control: max-age=10"], 0, {"Cache_Control": "no-cache"}, "miss"),
        (["Cache-Control: max-age=10", ETAG], 0, {"Cache_Control": "no-cache"}, "revalidated"),
        (["Cache-Control: max-age=10", ETAG], 0, {"Pragma": "no-cache"}, "revalidated"),
        (["Cache-Control: max-age=10", ETAG], 0, {"Pragma": "no-cache", "Cache_Control": "x"}, "hit"),
        (["Cache-Control: max-age=10"], 0, {"Cache_Control": "no-store"}, "bypass"),
        (["Cache-Control: max-age=10", ETAG], 0, {"Cache_Control": "max-age=0"}, "revalidated"),
        (["Cache-Control: max-age=10, immutable", ETAG], 0, {"Cache_Control": "max-age=0"}, "hit"),
        (["Cache-Control: max-age=10"], 3, {"Cache_Control": "max-age=4"}, "hit"),
        (["Cache-Control: max-age=10"], 5, {"Cache_Control": "max-age=4"}, "miss"),
        (["Cache-Control: max-age=10"], 5, {"Cache_Control": "min-fresh=5"}, "hit"),
        (["Cache-Control: max-age=10"], 5, {"Cache_Control": "min-fresh=6"}, "miss"),
        (["Cache-Control: max-age=10"], 15, {"Cache_Control": "max-stale=5"}, "stale"),
        (["Cache-Control: max-age=10"], 15, {"Cache_Control": "max-stale=4"}, "miss"),
        (["Cache-Control: max-age=10"], 900, {"Cache_Control": "max-stale"}, "stale"),
        (["Cache-Control: max-age=10, must-revalidate"], 11, {"Cache_Control": "max-stale"}, "miss"),
        (["Cache-Control: max-age=10, stale-while-revalidate=9"], 19, {}, "stale"),
        (["Cache-Control: max-age=10, stale-while-revalidate=9"], 20, {}, "miss"),
        (["Cache-Control: max-age=10, stale-while-revalidate=9, proxy-revalidate"], 11, {}, "miss"),
        (["Cache-Control: max-age=10"], 0, {"If_Match": '"a"'}, "bypass"),
        (["Cache-Control: max-age=10"], 5, {"Cache_Control": "only-if-cached"}, "hit"),
    ],
)
def test_the_second_request_is_answered_as_rfc_9111_says(
    setting: Setting, lines: list[str], after_seconds: int, request_headers: dict[str, str], expected: str
) -> None:
    setting.answers = [answer(*lines)]
    setting.get()
    assert result() == "miss"
    setting.clock.now += after_seconds
    if expected == "revalidated":
        setting.answers = [answer(status=304, body=b"")]
    response = setting.get(**request_headers)
    assert (result(), response.status, response.body) == (expected, 200, [b"whole"])


def test_only_age_and_cache_status_are_new_on_a_hit(setting: Setting) -> None:
    lines = [
        "Cache-Control: max-age=10",
        ETAG,
        f"Date: {setting.date()}",
        "X-A: 1",
        "X-A: 2",
        "Cache-Status: near; hit",
    ]
    setting.answers = [answer(*lines)]
    first = setting.get()
    assert (value(first, "Age"), [text for name, text in first.headers if name == "Cache-Status"]) == (
        None,
        ["near; hit", "xinjing; fwd=miss; stored"],
    )
    setting.clock.now += 3
    second = setting.get()
    new = [("Cache-Status", "xinjing; hit; ttl=7"), ("Age", "3")]
    assert second.headers == [*first.headers[:-1], *new]
    assert value(second, "X-Content-Type-Options") == "nosniff"
    assert second.is_complete


def test_an_answer_without_date_gets_that_of_its_arrival(setting: Setting) -> None:
    setting.answers = [answer("Cache-Control: max-age=10")]
    arrived = setting.date()
    setting.get()
    setting.clock.now += 5
    assert value(setting.get(), "Date") == arrived


def test_a_head_is_answered_from_the_get_and_never_stored(setting: Setting) -> None:
    setting.answers = [answer("Cache-Control: max-age=10")]
    assert setting.get(method="HEAD").status == 200
    assert (setting.asked[-1].method, result()) == ("HEAD", "miss")
    setting.get()
    assert result() == "miss"
    response = setting.get(method="HEAD")
    assert (result(), response.body, value(response, "Content-Length")) == ("hit", [], "5")


@pytest.mark.parametrize("known", [{"If_None_Match": 'W/"a"'}, {"If_None_Match": "*"}])
def test_a_client_that_has_it_gets_a_304(setting: Setting, known: dict[str, str]) -> None:
    setting.answers = [answer("Cache-Control: max-age=10", ETAG, "Content-Type: a/b")]
    for expected in ("miss", "hit"):
        response = setting.get(**known)
        assert (result(), response.status, response.body) == (expected, 304, [])
        assert (value(response, "ETag"), value(response, "Content-Type"), value(response, "Content-Length")) == (
            '"a"',
            None,
            None,
        )
    assert setting.conditions() == [], "the client's conditions stay here"


def test_one_part_of_a_stored_answer(setting: Setting) -> None:
    setting.answers = [answer("Cache-Control: max-age=10", ETAG)]
    setting.get()
    part = setting.get(Range="bytes=1-2")
    assert (part.status, part.body, value(part, "Content-Range")) == (206, [b"ho"], "bytes 1-2/5")
    assert value(part, "Content-Length") == "2"
    beyond = setting.get(Range="bytes=9-")
    assert (beyond.status, beyond.body, value(beyond, "Content-Range")) == (416, [b""], "bytes */5")
    assert len(setting.asked) == 1


def test_a_part_that_the_service_answers_is_not_stored(setting: Setting) -> None:
    setting.answers = [answer("Cache-Control: max-age=10", "Content-Range: bytes 0-4/9", status=206)]
    assert setting.get(Range="bytes=0-4").status == 206
    assert setting.conditions() == [("Range", "bytes=0-4")]
    setting.answers = [answer("Cache-Control: max-age=10")]
    assert (setting.get().status, result()) == (200, "miss")


def test_only_if_cached_never_asks(setting: Setting) -> None:
    with pytest.raises(UpstreamTimeout):
        setting.get(Cache_Control="only-if-cached")
    assert setting.asked == []


def test_the_service_is_asked_with_our_validators_and_its_304_renews_the_head(setting: Setting) -> None:
    changed = setting.date(-60)
    setting.answers = [answer("Cache-Control: max-age=10", ETAG, f"Last-Modified: {changed}", "X-A: old")]
    setting.get()
    setting.clock.now += 10
    renewed = answer("Cache-Control: max-age=20", "X-A: new", "Content-Length: 0", status=304, body=b"")
    setting.answers = [renewed]
    response = setting.get(If_None_Match='"client"', If_Modified_Since=setting.date(-90))
    assert setting.conditions() == [("If-None-Match", '"a"'), ("If-Modified-Since", changed)]
    assert (response.status, response.body, value(response, "X-A")) == (200, [b"whole"], "new")
    assert (value(response, "Content-Length"), value(response, "Age")) == ("5", None)
    assert value(response, "Cache-Status") == "xinjing; fwd=stale; fwd-status=304"
    setting.clock.now += 19
    assert (setting.get().body, result()) == ([b"whole"], "hit")


@pytest.mark.parametrize(("status", "lines"), [(304, ['ETag: "b"']), (412, [])])
def test_a_304_about_something_else_is_asked_again_plainly(setting: Setting, status: int, lines: list[str]) -> None:
    setting.answers = [answer(ETAG), answer(*lines, status=status, body=b""), answer('ETag: "b"', body=b"other")]
    setting.get()
    assert setting.get().body == [b"other"]
    assert setting.conditions() == []


def test_a_304_that_forbids_to_store_answers_once(setting: Setting) -> None:
    setting.answers = [answer(ETAG), answer("Cache-Control: no-store", status=304, body=b""), answer(body=b"new")]
    setting.get()
    assert (setting.get().body, result()) == ([b"whole"], "revalidated")
    assert (setting.get().body, setting.conditions()) == ([b"new"], [])


@pytest.mark.parametrize("error", [answer(status=500), answer(status=503), DependencyUnavailable(), UpstreamTimeout()])
def test_stale_if_error_stands_in_for_a_service_that_fails(setting: Setting, error: Answer) -> None:
    setting.answers = [answer("Cache-Control: max-age=10, stale-if-error=60")]
    setting.get()
    setting.clock.now += 60
    setting.answers = [error]
    response = setting.get()
    assert (response.status, response.body, result()) == (200, [b"whole"], "stale")
    assert value(response, "Cache-Status") == "xinjing; fwd=stale; detail=stale-if-error"
    setting.clock.now += 0.5
    assert (setting.get().status, result()) == (200, "stale")
    setting.await_asked(3)


def test_stale_if_error_has_an_end(setting: Setting) -> None:
    setting.answers = [answer("Cache-Control: max-age=10, stale-if-error=60"), DependencyUnavailable()]
    setting.get()
    setting.clock.now += 71
    with pytest.raises(DependencyUnavailable):
        setting.get()


def test_an_error_that_is_not_the_services_fault_replaces_what_is_stored(setting: Setting) -> None:
    fresh = "Cache-Control: max-age=10, stale-while-revalidate=60, stale-if-error=600"
    setting.answers = [answer(fresh), answer("Cache-Control: no-store", status=404, body=b"gone")]
    setting.get()
    setting.clock.now += 11
    assert (setting.get().status, result()) == (200, "stale")
    setting.await_asked(2)
    end = time.monotonic() + WAIT_SECONDS
    while setting.get().status == 200:
        assert time.monotonic() < end


def test_a_stale_answer_is_refreshed_by_one_thread(setting: Setting) -> None:
    setting.answers = [answer("Cache-Control: max-age=10, stale-while-revalidate=60", body=b"old")]
    setting.get()
    setting.clock.now += 15
    go_on = threading.Event()
    setting.on_send = lambda: go_on.wait(WAIT_SECONDS)
    setting.answers = [answer("Cache-Control: max-age=10", body=b"new")]
    stale = [setting.get() for _ in range(5)]
    assert {each.body[0] for each in stale} == {b"old"}  # type: ignore[index]
    assert value(stale[0], "Cache-Status") == "xinjing; hit; ttl=-5"
    go_on.set()
    setting.await_hit(b"new")
    assert len(setting.asked) == 2


def test_many_requests_wait_for_one_fetch(setting: Setting) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        arrived.set()
        go_on.wait(WAIT_SECONDS)

    setting.on_send = wait
    setting.answers = [answer("Cache-Control: max-age=10")]

    def get() -> tuple[Any, Any]:
        response = setting.get()
        return response.body, result()

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(get)
        assert arrived.wait(WAIT_SECONDS)
        others = [pool.submit(get) for _ in range(7)]
        go_on.set()
        found = [each.result(WAIT_SECONDS) for each in (first, *others)]
    assert [body for body, _ in found] == [[b"whole"]] * 8
    assert found[0][1] == "miss"
    assert {how for _, how in found[1:]} <= {"coalesced", "hit"}
    assert len(setting.asked) == 1


@pytest.mark.parametrize("lines", [["Cache-Control: no-store"], [ETAG], [ETAG, "Cache-Control: no-cache, max-age=9"]])
def test_requests_do_not_wait_for_what_is_of_no_use_for_others(setting: Setting, lines: list[str]) -> None:
    setting.answers = [answer(*lines)]
    setting.get()
    all_here = threading.Barrier(4)
    setting.on_send = lambda: all_here.wait(WAIT_SECONDS)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: setting.get().status, range(4)))
    assert found == [200] * 4, "all four were at the service at once"


@pytest.mark.parametrize("said", ["no-cache", "max-age=0"])
def test_reloads_do_not_wait_for_each_other(setting: Setting, said: str) -> None:
    setting.answers = [answer("Cache-Control: max-age=60")]
    all_here = threading.Barrier(4)
    setting.on_send = lambda: all_here.wait(WAIT_SECONDS)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: setting.get(Cache_Control=said).status, range(4)))
    assert found == [200] * 4


def test_who_waited_for_what_could_not_be_stored_asks_at_once(setting: Setting) -> None:
    arrived, go_on, second_wave = threading.Event(), threading.Event(), threading.Barrier(3)

    def wait() -> None:
        if not arrived.is_set():
            arrived.set()
            go_on.wait(WAIT_SECONDS)
        else:
            second_wave.wait(WAIT_SECONDS)

    setting.on_send = wait
    setting.answers = [answer("Cache-Control: no-store")]
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(setting.get)
        assert arrived.wait(WAIT_SECONDS)
        others = [pool.submit(setting.get) for _ in range(3)]
        go_on.set()
        assert [each.result(WAIT_SECONDS).status for each in (first, *others)] == [200] * 4


def test_a_clients_conditions_travel_where_nothing_can_be_stored(setting: Setting) -> None:
    setting.answers = [answer("Cache-Control: no-store", ETAG), answer(ETAG, status=304, body=b"")]
    setting.get()
    assert setting.get(If_None_Match='"a"').status == 304
    assert setting.conditions() == [("If-None-Match", '"a"')]


@pytest.mark.parametrize("headers", [SESSION, {"Cookie": "a=b; xinjing_rt=x"}, {"Authorization": "Bearer x"}])
def test_signed_in_readers_of_an_optional_rule_pass_the_cache_by(setting: Setting, headers: dict[str, str]) -> None:
    setting.answers = [answer("Cache-Control: public, max-age=10")]
    response = setting.get(rule=PAGE, **headers)
    assert (result(), value(response, "Cache-Status")) == ("bypass", "xinjing; fwd=bypass")
    setting.get(rule=PAGE)
    assert result() == "miss", "their answer is not stored"
    setting.get(rule=PAGE, **headers)
    assert (result(), len(setting.asked)) == ("bypass", 3)


@pytest.mark.parametrize("headers", [SESSION, {"Authorization": "Bearer x"}])
@pytest.mark.parametrize(("said", "is_stored"), [("max-age=10", False), ("public, max-age=10", True)])
def test_with_credentials_a_public_rule_stores_what_is_for_everybody(
    setting: Setting, headers: dict[str, str], said: str, is_stored: bool
) -> None:
    setting.answers = [answer(f"Cache-Control: {said}")]
    setting.get(**headers)
    setting.get()
    assert result() == ("hit" if is_stored else "miss")


def test_a_rule_gives_silent_answers_a_lifetime(setting: Setting) -> None:
    rule = Rule("GET", "/", Service.NEWS, Access.PUBLIC, cache_seconds=7)
    setting.answers = [answer()]
    for seconds, expected in [(0, "miss"), (6, "hit"), (1, "miss")]:
        setting.clock.now += seconds
        setting.get(rule=rule)
        assert result() == expected


@pytest.mark.parametrize(
    ("status", "lines", "is_dropped"),
    [
        (204, [], True),
        (303, ["Location: /else"], True),
        (403, [], False),
        (500, [], False),
    ],
)
def test_a_change_drops_its_own_address(setting: Setting, status: int, lines: list[str], is_dropped: bool) -> None:
    setting.answers = [answer("Cache-Control: max-age=10")]
    setting.get()
    setting.cache.note_change(setting.make_request("POST"), answer(*lines, status=status))
    setting.get()
    assert result() == ("miss" if is_dropped else "hit")


@pytest.mark.parametrize(
    ("line", "is_dropped"),
    [
        ("Location: /", True),
        ("Content-Location: ../", True),
        ("Location: http://shop.example/", True),
        ("Location: http://SHOP.example", True),
        ("Location: https://shop.example/", False),
        ("Location: http://other.example/", False),
        ("Location: http://[", False),
        ("Location: /?a", False),
    ],
)
def test_a_change_drops_what_its_answer_names_on_the_same_host(setting: Setting, line: str, is_dropped: bool) -> None:
    setting.answers = [answer("Cache-Control: max-age=10")]
    setting.get()
    setting.cache.note_change(setting.make_request("PUT", target="/changed"), answer(line, status=201))
    setting.get()
    assert result() == ("miss" if is_dropped else "hit")


def test_what_was_fetched_before_a_change_is_not_stored_after_it(setting: Setting) -> None:
    setting.answers = [answer("Cache-Control: max-age=10")]
    setting.on_send = lambda: setting.cache.note_change(setting.make_request("PUT"), answer())
    setting.get()
    setting.on_send = lambda: None
    setting.get()
    assert result() == "miss"


def test_hosts_and_schemes_have_answers_of_their_own(setting: Setting) -> None:
    setting.answers = [answer("Cache-Control: max-age=10")]
    for host in ("shop.example", "Shop.Example", "other.example"):
        setting.get(host=host)
    assert len(setting.asked) == 2


def recalled(setting: Setting, method: str = "GET", **headers: str) -> ProxyResponse | None:
    request = setting.make_request(method, **headers)
    found = setting.cache.recall(request.environ, request.client)
    assert found is None or found[0] is NEWS
    return found and found[1]


def test_a_plain_repetition_is_recalled_as_it_would_be_answered(setting: Setting) -> None:
    setting.answers = [answer("Cache-Control: max-age=10", ETAG, "Vary: Cookie, Accept", "Age: 2")]
    assert recalled(setting) is None
    setting.get(Accept="a/b ,c/d")
    setting.clock.now += 1
    hit, known = setting.get(Accept="a/b, c/d"), recalled(setting, Accept="a/b,c/d")
    assert known == hit
    assert result() == "hit"
    assert recalled(setting, Accept="c/d") is None
    setting.clock.now += 7
    assert recalled(setting, Accept="a/b,c/d") is None, "it is stale"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer x"},
        {"Cookie": "a=b"},
        {"Cache_Control": "no-cache"},
        {"Pragma": "no-cache"},
        {"Range": "bytes=0-1"},
        {"If_None_Match": '"a"'},
        {"If_Modified_Since": "x"},
        {"If_Match": "*"},
        {"If_Unmodified_Since": "x"},
        {"Transfer_Encoding": "chunked"},
        {"method": "HEAD"},
        {"method": "POST"},
        {"target": "/?a"},
        {"host": "other.example"},
    ],
)
def test_what_is_no_plain_repetition_is_looked_at_more_closely(setting: Setting, headers: dict[str, str]) -> None:
    setting.answers = [answer("Cache-Control: max-age=10")]
    setting.get()
    assert recalled(setting) is not None
    assert recalled(setting, **headers) is None


def test_a_header_that_stays_here_tells_no_variants_apart(setting: Setting) -> None:
    setting.answers = [answer("Cache-Control: max-age=10", "Vary: X-Look")]
    setting.get()
    assert recalled(setting, X_Look="dark") is None
    assert recalled(setting, X_Look="dark", Connection="close, X-Look") is not None


def test_what_must_be_validated_is_never_recalled(setting: Setting) -> None:
    setting.answers = [answer("Cache-Control: max-age=10, no-cache", ETAG)]
    setting.get()
    assert recalled(setting) is None
