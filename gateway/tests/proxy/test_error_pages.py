"""Pages in place of problems, and the one spelling of each page's address."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from chassis import errors
from gateway.proxy.error_pages import ErrorPages
from gateway.proxy.responses import problem_response

NAVIGATION = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
PROBLEM = "application/problem+json"


def visit(gateway: Any, target: str, method: str = "GET", **headers: str) -> Any:
    """Ask as Chromium does when a person opens an address."""
    return gateway.ask(method, target, headers={"Accept": NAVIGATION, **headers})


def assert_page(answer: Any, status: int) -> str:
    """Check what every page in place of a problem has, and return its markup."""
    assert (answer.status, answer.value("Content-Type")) == (status, "text/html; charset=utf-8")
    page = str(answer.body.decode())
    assert f"编号 {answer.value('X-Request-Id')}" in page
    assert 'href="/">回到首页</a>' in page
    policy = answer.value("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'self'; ")
    assert "script" not in policy + page
    assert not re.search(r"<style|\sstyle=|\son\w+=|://", page)
    assert (answer.value("Vary"), answer.value("Cache-Control")) == ("Accept", "no-store")
    assert answer.value("X-Content-Type-Options") == "nosniff"
    return page


@pytest.mark.parametrize("target", ["/nothing", "/news/5/comments", "/docs/nothing.js", "/internal/x", "/x//y/"])
def test_an_unknown_address_is_a_page_for_a_browser(gateway: Any, target: str) -> None:
    assert "这一页不在这里" in assert_page(visit(gateway, target), 404)


def test_an_address_that_is_refused_is_a_page(gateway: Any) -> None:
    assert "这个请求不对" in assert_page(visit(gateway, "/news/%zz"), 400)


@pytest.mark.parametrize(("target", "allowed"), [("/news/5", "GET, HEAD"), ("/docs", "GET, HEAD, OPTIONS")])
def test_a_wrong_method_is_a_page_that_names_the_right_one(gateway: Any, target: str, allowed: str) -> None:
    answer = visit(gateway, target, "POST")
    assert_page(answer, 405)
    assert answer.value("Allow") == allowed


def test_a_service_that_is_away_or_breaks_is_a_page(
    start_gateway: Callable[..., Any], gateway: Any, services: Any, answering: Callable[..., bytes]
) -> None:
    services.news.on("GET", "/", b"SSH-2.0\r\n")
    broken = visit(gateway, "/")
    assert "服务暂时不可用" in assert_page(broken, 502)
    assert broken.value("Retry-After") == "5"
    services.news.on("GET", "/", lambda connection: connection.recv(1))
    assert_page(visit(gateway, "/"), 504)
    assert_page(visit(start_gateway(news_service_url="http://127.0.0.1:9"), "/"), 503)


def test_the_page_stands_without_any_service(start_gateway: Callable[..., Any]) -> None:
    alone = start_gateway(news_service_url="http://127.0.0.1:9")
    page = assert_page(visit(alone, "/nothing"), 404)
    [sheet] = re.findall(r'<link rel="stylesheet" href="([^"]+)">', page)
    style = alone.ask("GET", sheet)
    assert (style.status, style.value("Content-Type")) == (200, "text/css; charset=utf-8")
    assert b"url(" not in style.body


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (errors.Unauthenticated(), "请先登录"),
        (errors.Forbidden(), "不能打开这一页"),
        (errors.TooManyRequests(retry_after_seconds=7), "访问太频繁了"),
        (errors.BodyTooLarge(), "这个请求不对"),
        (errors.InternalError(), "服务暂时不可用"),
    ],
)
def test_every_problem_has_its_words_and_keeps_its_headers(error: errors.XinjingError, title: str) -> None:
    pages = ErrorPages(Flask("gateway.app", template_folder="pages").jinja_env)
    problem = problem_response(error)
    page = pages.write_page({"PATH_INFO": "/", "HTTP_ACCEPT": NAVIGATION}, problem.status, problem.headers)
    assert page
    headers, body = dict(page[0]), page[1].decode()
    assert (f"<h1>{title}</h1>" in body, f">{error.status}</p>" in body) == (True, True)
    kept = {name: value for name, value in problem.headers if not name.startswith("Content-")}
    assert headers == headers | kept
    assert headers["Content-Length"] == str(len(page[1]))


@pytest.mark.parametrize(
    "target",
    [
        *("/api/v1/nothing", "/api", "//api/v1/news", "/api/v1/news/"),
        *("/passport/nothing", "/static/x.css/y", "/.well-known/nothing", "/inbox/messages/x"),
    ],
)
def test_what_programs_ask_for_stays_a_problem(gateway: Any, target: str) -> None:
    answer = visit(gateway, target)
    assert (answer.status, answer.value("Content-Type"), answer.json["code"]) == (404, PROBLEM, "not_found")


def test_the_classic_calls_stay_as_they_are(gateway: Any) -> None:
    answer = visit(gateway, "/passport/login", "POST")
    assert (answer.status, answer.json["errno"]) == (200, "4103")


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (NAVIGATION, True),
        ("text/html", True),
        ("text/*", True),
        ("text/html, application/json;q=0.9", True),
        ("text/html;q=0.5, application/json;q=0.4", True),
        ("application/xhtml+xml, text/html;q=0.2, */*;q=0.1", True),
        ("TEXT/HTML", True),
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("text/html;q=0", False),
        ("application/json, text/html", False),
        ("text/html;q=0.8, application/json", False),
        ("text/html;q=0.8, application/problem+json;q=0.9", False),
        ("text/html;q=0.8, */*", False),
        ("nonsense;;;,", False),
    ],
)
def test_html_must_be_preferred(gateway: Any, accept: str, is_page: bool) -> None:
    answer = gateway.ask("GET", "/nothing", headers={"Accept": accept})
    assert (answer.status, answer.value("Content-Type") != PROBLEM) == (404, is_page)


def test_a_program_without_accept_gets_a_problem(gateway: Any) -> None:
    assert gateway.ask("GET", "/nothing").json["code"] == "not_found"


@pytest.mark.parametrize("target", ["/nothing", "/news/%zz"], ids=["of-flask", "of-the-proxy"])
def test_head_gets_the_pages_head_alone(gateway: Any, target: str) -> None:
    request = f"HEAD {target} HTTP/1.1\r\nHost: a\r\nX-Request-Id: {'1' * 32}\r\nAccept: text/html\r\nConnection: close"
    head, _, body = gateway.raw(f"{request}\r\n\r\n".encode()).partition(b"\r\n\r\n")
    assert body == b""
    assert b"Content-Length: %d\r\n" % len(visit(gateway, target).body) in head


@pytest.mark.parametrize(("cookie", "theme"), [("theme=dark", ' data-theme="dark"'), ("theme=x", "")])
def test_the_page_has_the_chosen_look(gateway: Any, cookie: str, theme: str) -> None:
    assert f'<html lang="zh-CN"{theme}>' in visit(gateway, "/nothing", Cookie=cookie).body.decode()


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("/news/5/", "/news/5"),
        ("/news/5//", "/news/5"),
        ("//news/5", "/news/5"),
        ("/news//5", "/news/5"),
        ("/news/5/?x=1&y=/a//b/", "/news/5?x=1&y=/a//b/"),
        ("//?category=2", "/?category=2"),
        ("///", "/"),
        ("/docs/", "/docs"),
        ("/inbox//?mobile=1", "/inbox?mobile=1"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_page_has_one_spelling(gateway: Any, services: Any, target: str, address: str, method: str) -> None:
    answer = visit(gateway, target, method)
    assert (answer.status, answer.value("Location"), answer.body) == (308, address, b"")
    assert services.news.requests == []


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("//evil.example/", 404),
        ("//evil.example/news/5/", 404),
        ("///evil.example", 404),
        ("//evil.example/%2e%2e/news/5/", 400),
        ("//evil.example/../news/5/", 400),
        ("/\\evil.example/", 400),
        ("/%5cevil.example/", 400),
        ("/%2fevil.example/", 400),
        ("//news/5/\t", 400),
        ("/%0d%0aLocation:%20x//", 400),
        ("http://evil.example//", 400),
    ],
)
def test_no_spelling_leads_to_another_site(gateway: Any, target: str, status: int) -> None:
    answer = gateway.raw(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert int(answer.split(b" ", 2)[1]) == status
    assert b"location:" not in answer.lower()


@pytest.mark.parametrize("target", ["/api/v1/news/", "//api/v1/categories", "/passport//login", "/News/5", "/nothing/"])
def test_only_known_pages_are_tidied_and_letters_keep_their_case(gateway: Any, target: str) -> None:
    assert visit(gateway, target).status == 404


def test_a_form_is_not_sent_elsewhere(gateway: Any) -> None:
    assert visit(gateway, "/news/5/", "POST").status == 404
