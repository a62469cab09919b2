"""The gateway's own endpoints: API docs, keys of identity tokens, forward authentication, the SMS inbox.

Health checks come from the chassis. Everybody may call these without a token, except that only proxies in front may ask
for a verdict of forward authentication. Every request to them passes the proxy first.
"""

from dataclasses import dataclass
from importlib import resources
from typing import Any

import flask_openapi3_swagger  # type: ignore[import-untyped]
import svcs
from flask import Blueprint, Response, abort, jsonify, render_template, request, send_file
from pydantic import ValidationError

from chassis.errors import RequestRefused, XinjingError
from chassis.problems import validation_response
from chassis.service_client import ServiceClient
from gateway.auth.identity_tokens import KEYS_MAX_AGE_SECONDS, IdentityKeys
from gateway.docs.openapi import MergedDocument
from gateway.proxy.forward_auth import ForwardAuth, Policy
from gateway.proxy.request import ENVIRON_KEY

# Images: the style sheet of Swagger UI holds some as data, and it shows an answer that is a picture as a blob.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types dompurify"
)
_INBOX_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_SWAGGER_FILES = {
    "swagger-ui.css": ("css/swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": ("js/swagger-ui-bundle.js", "text/javascript"),
}
_OWN_FILES = {"start.js": "text/javascript", "inbox.css": "text/css", "error.css": "text/css"}
_MAX_MOBILE_CHARACTERS = 32
api = Blueprint("gateway", __name__)


@dataclass(frozen=True)
class Inbox:
    """The messages that sms-service keeps instead of sending them, while its provider is `inbox`."""

    sms: ServiceClient

    def is_on(self) -> bool:
        """Say whether messages are kept; no, while sms-service does not tell."""
        try:
            self._read_messages("")
        except XinjingError:
            return False
        return True

    def messages(self, mobile: str) -> list[dict[str, Any]]:
        """Return the messages, newest first, of one mobile or (empty text) of all.

        Raises:
            NotFound: messages are really sent.
        """
        items: list[dict[str, Any]] = self._read_messages(mobile)["items"]
        return items

    def _read_messages(self, mobile: str) -> Any:
        return self.sms.call("GET", "/internal/inbox/messages", params={"mobile": mobile} if mobile else {})


@api.get("/api/v1/openapi.json")
def openapi() -> dict[str, Any]:
    """Answer one OpenAPI document for all services."""
    return svcs.flask.get(MergedDocument).document()


@api.get("/.well-known/gateway-jwks.json")
def identity_keys() -> Response:
    """Answer the public keys of identity tokens, for services of the operator."""
    answer = jsonify(svcs.flask.get(IdentityKeys).public_jwks())
    answer.headers["Cache-Control"] = f"public, max-age={KEYS_MAX_AGE_SECONDS}"
    return answer


@api.get("/auth", provide_automatic_options=False)  # A 200 to OPTIONS would let a request pass.
def forward_auth() -> Response:
    """Answer a proxy in front whether the request that it describes may pass."""
    query = request.args.to_dict()
    if len(query) != len(list(request.args.items(multi=True))):
        raise RequestRefused("A parameter stands twice.")
    try:
        policy = Policy.model_validate(query)
    except ValidationError as error:
        return validation_response(error)
    return svcs.flask.get(ForwardAuth).answer(request.environ[ENVIRON_KEY], policy)


@api.get("/docs")
def docs() -> Response:
    """Show the API documentation."""
    return _page(render_template("docs.html"), _DOCS_POLICY)


@api.get("/docs/<name>")
def docs_file(name: str) -> Response:
    """Answer one file of the documentation or the inbox page."""
    if name in _SWAGGER_FILES:
        path, kind = _SWAGGER_FILES[name]
        file = resources.files(flask_openapi3_swagger) / "templates" / "swagger" / path
    elif name in _OWN_FILES:
        kind, file = _OWN_FILES[name], resources.files("gateway") / "pages" / name
    else:
        abort(404)
    with resources.as_file(file) as found:
        return send_file(found, mimetype=kind, max_age=3600)


@api.get("/inbox")
def inbox() -> Response:
    """Show the messages to a person; the page loads itself anew."""
    mobile = _mobile()
    messages = svcs.flask.get(Inbox).messages(mobile)
    return _page(render_template("inbox.html", messages=messages, mobile=mobile), _INBOX_POLICY)


@api.get("/inbox/messages")
def inbox_messages() -> Response:
    """Answer the messages to a program."""
    answer = jsonify({"items": svcs.flask.get(Inbox).messages(_mobile())})
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _mobile() -> str:
    return request.args.get("mobile", "").strip()[:_MAX_MOBILE_CHARACTERS]


def _page(html: str, policy: str) -> Response:
    answer = Response(html, content_type="text/html; charset=utf-8")
    answer.headers["Content-Security-Policy"] = policy
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    return answer
