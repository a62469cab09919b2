"""What every page's answer carries: the content policy, who may keep it, and a readable page for an error."""

from flask import Flask, Response, g, render_template, request

from chassis.identity import Caller
from chassis.problems import MEDIA_TYPE

# Strict on purpose: no inline script or style, and no text becomes markup in the browser (Trusted Types). The
# one exception, in app.js, starts workers from our static files.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types workers"
)
_NOT_PAGES = ("/api/", "/internal/", "/static/", "/healthz", "/readyz", "/metrics")


def install_page_answers(app: Flask) -> None:
    """Give pages their headers, and browsers an HTML page in place of a problem."""

    @app.after_request
    def finish(answer: Response) -> Response:
        if answer.mimetype == MEDIA_TYPE and _browser_asks_for_a_page():
            answer = _error_page(answer)
        if answer.mimetype == "text/html":
            answer.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
            answer.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
            answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return answer


def page_response(html: str) -> Response:
    """Answer a page: shared caches may keep it for a moment when nobody is signed in, and nobody else's page ever."""
    answer = Response(html, content_type="text/html; charset=utf-8")
    answer.vary.update(["Cookie", "Accept-Language"])
    caller: Caller = g.caller
    anonymous = caller.user_id is None
    answer.headers["Cache-Control"] = (
        "public, max-age=30, stale-while-revalidate=300" if anonymous else "private, no-cache"
    )
    return answer


def _browser_asks_for_a_page() -> bool:
    if request.path.startswith(_NOT_PAGES):
        return False
    wishes = request.accept_mimetypes
    return wishes.quality("text/html") > wishes.quality(MEDIA_TYPE)


def _error_page(problem: Response) -> Response:
    html = render_template("error.html", status=problem.status_code, request_id=g.request_id)
    page = Response(html, problem.status_code, content_type="text/html; charset=utf-8")
    for name in ("Cache-Control", "Retry-After", "Allow"):
        if name in problem.headers:
            page.headers[name] = problem.headers[name]
    return page
