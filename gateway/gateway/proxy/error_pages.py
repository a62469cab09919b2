"""Pages in place of problems, for people who opened an address with a browser."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from flask.templating import Environment
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_cookie

from chassis.problems import MEDIA_TYPE, prefers_page
from chassis.tracing import current_request_id
from gateway.proxy.request import Headers
from gateway.routing.rules import is_page_path

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# The page has no script, and its one style sheet is our own.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_THEMES = ("light", "dark")
_TEXTS = {
    401: ("请先登录", "登录之后才能打开这一页。"),
    403: ("不能打开这一页", "您没有权限查看这里的内容。"),
    404: ("这一页不在这里", "文章可能已经撤下，或者地址输错了。"),
    405: ("这一页不能这样打开", "请从首页重新开始。"),
    429: ("访问太频繁了", "请稍等片刻再试。"),
}
_OUR_FAULT = ("服务暂时不可用", "我们这边出了问题，请稍后再试。")
_OTHER_FAULT = ("这个请求不对", "请检查地址，或者从首页重新开始。")


@dataclass(frozen=True)
class ErrorPages:
    """Writes the page for a problem; addresses of the API and of the classic calls always answer problems."""

    templates: Environment

    def write_page(self, environ: "WSGIEnvironment", status: int, headers: Headers) -> tuple[Headers, bytes] | None:
        """Return the head and the body of the page in place of a problem.

        None if the answer is no problem, or the client does not prefer HTML to JSON (RFC 9110 12.5.1).
        """
        if ("Content-Type", MEDIA_TYPE) not in headers or not is_page_path(str(environ.get("PATH_INFO", ""))):
            return None
        if not prefers_page(parse_accept_header(environ.get("HTTP_ACCEPT"), MIMEAccept)):
            return None
        body = self._render(environ, status)
        kept = [(name, value) for name, value in headers if name not in ("Content-Type", "Content-Length")]
        return [
            *kept,
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", _POLICY),
            ("Referrer-Policy", "no-referrer"),
            ("Vary", "Accept"),
        ], body

    def _render(self, environ: "WSGIEnvironment", status: int) -> bytes:
        title, advice = _TEXTS.get(status) or (_OUR_FAULT if status >= 500 else _OTHER_FAULT)
        theme = parse_cookie(environ).get("theme")
        page = self.templates.get_template("error.html").render(
            title=title,
            advice=advice,
            status=status,
            request_id=current_request_id(),
            theme=theme if theme in _THEMES else None,
        )
        return page.encode()


def install_error_pages(app: Flask) -> ErrorPages:
    """Let the app answer pages in place of its problems; returns what writes them, for the proxy."""
    pages = ErrorPages(app.jinja_env)

    @app.after_request
    def show_page(response: Response) -> Response:
        page = pages.write_page(request.environ, response.status_code, list(response.headers))
        return response if page is None else Response(page[1], response.status_code, page[0])

    return pages
