"""Responses with pages: the content policy, who may cache them, and a readable page for an error."""

from collections.abc import Collection

from flask import Flask, Response, g, render_template, request

from chassis.identity import current_caller
from chassis.problems import MEDIA_TYPE, prefers_page
from news_service.caching import let_caches_keep, revalidated

# No inline script or style, and no text becomes markup in the browser (Trusted Types). The one exception, in app.js,
# starts workers from our static files.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types workers"
)
_NOT_PAGES = ("/api/", "/internal/", "/static/", "/healthz", "/readyz", "/metrics")


def install_page_responses(app: Flask, image_hosts: Collection[str]) -> None:
    """Give pages their headers, and browsers an HTML page in place of a problem.

    Pictures may come from ``image_hosts``, too.
    """
    sources = " ".join(["img-src 'self'", *(f"https://{host}" for host in image_hosts)])
    policy = CONTENT_SECURITY_POLICY.replace("img-src 'self'", sources)

    @app.after_request
    def finish(response: Response) -> Response:
        if response.mimetype == MEDIA_TYPE and _wants_html():
            response = _error_page(response)
        if response.mimetype == "text/html":
            response.headers["Content-Security-Policy"] = policy
            response.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
            response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return response


def page_response(html: str) -> Response:
    """Answer a page; caches may keep it if nobody is signed in, and ask later if it changed."""
    response = let_caches_keep(Response(html, content_type="text/html; charset=utf-8"), varies_by=["Cookie"])
    if current_caller().user_id is None:  # A page with a person's name is no cache's business.
        revalidated(response)
    return response


def _wants_html() -> bool:
    return not request.path.startswith(_NOT_PAGES) and prefers_page(request.accept_mimetypes)


def _error_page(problem: Response) -> Response:
    html = render_template("error.html", status=problem.status_code, request_id=g.request_id)
    page = Response(html, problem.status_code, content_type="text/html; charset=utf-8")
    page.vary.add("Accept")
    for name in ("Cache-Control", "Retry-After", "Allow"):
        if name in problem.headers:
            page.headers[name] = problem.headers[name]
    return page
