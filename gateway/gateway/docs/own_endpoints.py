"""The gateway's own endpoints for programs, as the API document shows them; `routes` and the chassis answer them."""

from typing import Any

from chassis import errors
from chassis.errors import XinjingError
from chassis.identity import GATEWAY
from chassis.web import Access
from gateway.docs.additions import Additions, JsonObject

_TEXT = {"type": "string"}
_HEALTH = {"type": "object", "required": ["status"], "properties": {"status": _TEXT}}
_READINESS = {
    "type": "object",
    "required": ["status", "checks"],
    "properties": {
        "status": {"type": "string", "enum": ["ready", "not ready"]},
        "checks": {"type": "object", "additionalProperties": {"type": "string", "enum": ["up", "down"]}},
        "remarks": {"type": "object", "additionalProperties": _TEXT},
    },
}
_KEYS = {
    "type": "object",
    "required": ["keys"],
    "properties": {"keys": {"type": "array", "items": {"type": "object"}}},
}
_MESSAGE = {
    "type": "object",
    "required": ["mobile", "text", "sent_at"],
    "properties": {"mobile": _TEXT, "text": _TEXT, "sent_at": {"type": "string", "format": "date-time"}},
}
_MESSAGES = {"type": "object", "required": ["items"], "properties": {"items": {"type": "array", "items": _MESSAGE}}}
_INBOX_FAILURES = (
    *(errors.MobileInvalid, errors.NotFound),
    *(errors.UpstreamUnavailable, errors.DependencyUnavailable, errors.UpstreamTimeout),
)
_FORWARD_AUTH_FAILURES = (
    *(errors.Unauthenticated, errors.StepUpRequired, errors.Forbidden, errors.CrossSiteRefused, errors.NotFound),
    *(errors.RequestInvalid, errors.UpstreamUnavailable, errors.DependencyUnavailable, errors.UpstreamTimeout),
)


def own_paths(additions: Additions, *, has_inbox: bool) -> JsonObject:
    """Return the paths of the gateway itself. ``has_inbox``: messages are kept for the inbox instead of sent."""

    def get(name: str, summary: str, responses: JsonObject, **members: Any) -> JsonObject:
        failures: tuple[type[XinjingError], ...] = members.pop("failures", ())
        named = {"operationId": f"{GATEWAY}.{name}", "tags": [GATEWAY], "summary": summary, "responses": responses}
        operation = named | {"x-access": Access.PUBLIC.value} | members
        return {"get": additions.frame(operation, failures)}

    paths = {
        "/healthz": get("healthz", "Tell that the process answers.", _answer(_HEALTH)),
        "/readyz": get(
            "readyz", "Tell what the gateway needs and has.", _answer(_READINESS) | _answer(_READINESS, "503")
        ),
        "/api/v1/openapi.json": get("openapi", "Read this document.", _answer({"type": "object"})),
        "/.well-known/gateway-jwks.json": get(
            "identity_keys", "Read the public keys of `X-Identity` (RFC 7517).", _answer(_KEYS)
        ),
        "/auth": get("forward_auth", "Answer a proxy in front whether a request may pass.", **_FORWARD_AUTH),
    }
    if has_inbox:
        mobile = {"name": "mobile", "in": "query", "required": False, "schema": _TEXT}
        summary = "List the SMS that were kept instead of sent, newest first."
        answer = _answer(_MESSAGES)
        paths["/inbox/messages"] = get("inbox", summary, answer, parameters=[mobile], failures=_INBOX_FAILURES)
    return paths


def _answer(schema: JsonObject, status: str = "200") -> JsonObject:
    return {status: {"description": "", "content": {"application/json": {"schema": schema}}}}


def _query(name: str, schema: JsonObject, description: str) -> JsonObject:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _header(name: str, description: str) -> JsonObject:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": _TEXT}


_IDENTITY_HEADERS = {
    name: {"description": "For the service that `service` names.", "schema": _TEXT}
    for name in ("X-Identity", "X-User-Id", "X-User-Roles")
}
_FORWARD_AUTH: JsonObject = {
    "description": "Answers proxies in `GATEWAY_TRUSTED_PROXIES` alone; everybody else gets 403. The proxy names the"
    " request's method and passes its cookies and its token on.",
    "parameters": [
        _query("service", _TEXT, "The service of the routes files that the identity is for."),
        _query("role", {"type": "string", "minLength": 1}, "The role that the user needs."),
        _query("recent_seconds", {"type": "integer", "minimum": 1}, "How old the sign-in may be."),
        _query("redirect", {"type": "boolean"}, "Lead people who are not signed in to the sign-in page."),
        _header("X-Forwarded-Method", "The method of the request; or X-Original-Method."),
        _header("X-Forwarded-Uri", "The address of the request; or X-Original-URI."),
    ],
    "responses": {
        "204": {"description": "The request may pass.", "headers": _IDENTITY_HEADERS},
        "302": {"description": "To the sign-in page.", "headers": {"Location": {"schema": _TEXT}}},
    },
    "security": [{}, {"bearer": []}, {"session": []}],
    "failures": _FORWARD_AUTH_FAILURES,
}
