"""What the gateway adds to every operation of the API document: access, limits, headers, and what it refuses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chassis import errors
from chassis.errors import XinjingError
from chassis.problems import MEDIA_TYPE, Problem
from chassis.web import Access
from gateway.auth.cookies import ASKING_PARAMETER
from gateway.proxy.request import SAFE_METHODS
from gateway.routing.rules import Effect, Limit, RouteLimit, Rule

JsonObject = dict[str, Any]  # Any: OpenAPI documents are JSON objects of many shapes.
SCHEMA_REFERENCE = "#/components/schemas/"
_PROBLEM = {"schema": {"$ref": f"{SCHEMA_REFERENCE}Problem"}}
# The server and the proxy refuse these whatever the address is.
_EDGE = (
    *(errors.RequestRefused, errors.RequestTimeout, errors.AddressTooLong, errors.HeadersTooLarge),
    *(errors.ExpectationFailed, errors.TransferCodingUnsupported, errors.HttpVersionUnsupported, errors.InternalError),
)
_FORWARDED = (errors.BodyTooLarge, errors.UpstreamUnavailable, errors.DependencyUnavailable, errors.UpstreamTimeout)
# An operation refers to these, if it has one of them alone for a status.
_SHARED = (
    *(*_EDGE, *_FORWARDED, errors.Unauthenticated, errors.StepUpRequired, errors.Forbidden, errors.CrossSiteRefused),
    *(errors.BodyMalformed, errors.ContentEncodingUnsupported, errors.MediaTypeUnsupported, errors.TooManyRequests),
    *(errors.MobileInvalid, errors.NotFound, errors.RequestInvalid),
)
_RETRIED = ("429", "502", "503", "504")
_ACCESS_TEXTS = {
    Access.PUBLIC: "everybody",
    Access.OPTIONAL: "everybody; the answer may differ for signed-in users",
    Access.SIGNED_IN: "signed-in users",
    Access.EDITOR: "signed-in users with the role `editor` or `admin`",
    Access.ADMIN: "signed-in users with the role `admin`",
}
_HEADERS: Mapping[str, tuple[str, str]] = {
    "X-Request-Id": ("string", "The id of the request in our logs: the client's own, if it is acceptable."),
    "Retry-After": ("integer", "Seconds."),
    "WWW-Authenticate": ("string", "What is missing: a token, or a sign-in that is not so old (RFC 9470)."),
    "Set-Cookie": ("string", "The session, for browsers and for clients that ask by `?cookies=true`."),
    "Cache-Status": ("string", "Whether the gateway's cache answered (RFC 9211)."),
    "Access-Control-Allow-Origin": ("string", "For pages of listed origins alone, or `*`."),
}
_PARAMETERS: Mapping[str, JsonObject] = {
    "traceparent": {"in": "header", "description": "The caller's trace, which goes on (W3C Trace Context)."},
    "X-Request-Id": {"in": "header", "description": "An id of the caller's for this request: logs and errors name it."},
    # No service knows of cookies.
    ASKING_PARAMETER: {
        "in": "query",
        "description": "Set to `true`, the tokens are set as cookies too. Browsers get cookies without asking.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}


@dataclass(frozen=True, kw_only=True)
class Additions:
    """What depends on the settings: ``limits`` per minute and address, the name of the cookie, what is turned on."""

    limits: Mapping[Limit, int]
    session_cookie: str
    has_cache: bool = True
    has_cors: bool = False

    def components(self) -> JsonObject:
        """Return what the additions refer to."""
        problem = Problem.model_json_schema(ref_template=f"{SCHEMA_REFERENCE}{{model}}")
        return {
            "schemas": problem.pop("$defs") | {"Problem": problem},
            "headers": {
                name: {"description": text, "schema": {"type": kind}} for name, (kind, text) in _HEADERS.items()
            },
            "parameters": {
                name: {"name": name, "required": False, "schema": {"type": "string"}, **entry}
                for name, entry in _PARAMETERS.items()
            },
            "responses": {kind.code: self._response(str(kind.status), {}, [kind]) for kind in _SHARED},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": self.session_cookie,
                    "description": "For our own pages: what changes something must come from them.",
                },
            },
        }

    def complete(self, rule: Rule, operation: JsonObject) -> JsonObject:
        """Return an operation with all that the gateway adds to it by its rule."""
        reads_json = "application/json" in operation.get("requestBody", {}).get("content", {})
        kinds = failures_of(rule, reads_json=reads_json)
        texts = [operation.get("description", ""), " ".join(self._sentences(rule, kinds))]
        completed = self.frame(operation, kinds, successes=self._success_headers(rule))
        completed["description"] = "\n\n".join(filter(None, texts))
        if rule.effect in (Effect.STARTS, Effect.REFRESHES):
            completed["parameters"].append(_reference("parameters", ASKING_PARAMETER))
        if rule.access is not Access.PUBLIC:
            free: list[JsonObject] = [{}] if rule.access is Access.OPTIONAL else []
            completed["security"] = [*free, {"bearer": []}, {"session": []}]
        return completed | self._members(rule)

    def frame(
        self, operation: JsonObject, kinds: Iterable[type[XinjingError]], *, successes: Iterable[str] = ()
    ) -> JsonObject:
        """Return an operation with what every answer of the gateway has, and the problems that it may be.

        ``kinds`` are problems beside those of the server; ``successes`` are headers of answers that are none.
        """
        every: list[type[XinjingError]] = [*_EDGE, *kinds]
        by_status: dict[str, list[type[XinjingError]]] = {}
        for kind in every:
            by_status.setdefault(str(kind.status), []).append(kind)
        given, responses = operation["responses"], {}
        for status in sorted({*given, *by_status}):
            found = by_status.get(status, [])
            if status not in given and len(found) == 1:
                responses[status] = _reference("responses", found[0].code)
            else:
                headers = successes if status.startswith(("2", "default")) else ()
                responses[status] = self._response(status, given.get(status, {}), found, headers)
        sent = [_reference("parameters", name) for name in ("X-Request-Id", "traceparent")]
        return {**operation, "parameters": [*operation.get("parameters", []), *sent], "responses": responses}

    def _response(
        self, status: str, given: JsonObject, kinds: Iterable[type[XinjingError]], headers: Iterable[str] = ()
    ) -> JsonObject:
        """Complete an answer; its description names each code of a problem once."""
        text, content = given.get("description", ""), given.get("content", {})
        codes = [f"`{kind.code}`" for kind in kinds]
        names = ["X-Request-Id", *(["Access-Control-Allow-Origin"] if self.has_cors else []), *headers]
        names += ["WWW-Authenticate"] * (status == "401") + ["Retry-After"] * (status in _RETRIED)
        response = {
            **given,
            "description": ", ".join(filter(None, [text, *(code for code in codes if code not in text)])),
            "headers": given.get("headers", {}) | {name: _reference("headers", name) for name in names},
        }
        return response | ({"content": content | {MEDIA_TYPE: _PROBLEM}} if codes else {})

    def _success_headers(self, rule: Rule) -> list[str]:
        cookies = [] if rule.effect is Effect.NONE else ["Set-Cookie"]
        return cookies + (["Cache-Status"] if self.has_cache and rule.is_cacheable else [])

    def _sentences(self, rule: Rule, kinds: list[type[XinjingError]]) -> Iterable[str]:
        role = f" with the role `{rule.role}`" if rule.role and not rule.access.role else ""
        recent = f", signed in at most {rule.recent_seconds} seconds ago" if rule.recent_seconds else ""
        yield f"Access: {_ACCESS_TEXTS[rule.access]}{role}{recent}."
        if errors.CrossSiteRefused in kinds:
            yield "With cookies, from our own pages alone."
        if limit := self._limit(rule):
            yield f"Limit: {limit['requests']} requests in {limit['seconds']} seconds per {limit['per']}."
        if rule.method not in SAFE_METHODS:
            yield f"Body: at most {rule.body_cap_bytes} bytes."
        if self.has_cache and rule.cache_seconds:
            yield f"Cache: answers without a lifetime of their own are kept for {rule.cache_seconds} seconds."

    def _members(self, rule: Rule) -> JsonObject:
        role = rule.access.role or rule.role
        members = {
            "x-access": rule.access.value,
            "x-required-role": role,
            "x-recent-sign-in-seconds": rule.recent_seconds,
            "x-rate-limit": self._limit(rule),
            "x-cache-seconds": rule.cache_seconds if self.has_cache else 0,
        }
        return {name: value for name, value in members.items() if value} | {"x-body-max-bytes": rule.body_cap_bytes}

    def _limit(self, rule: Rule) -> JsonObject:
        """Return the rate; requests to all operations with one ``counter`` are counted together."""
        if isinstance(rule.limit, RouteLimit):
            who = "user" if rule.limit.per_user else "address"
            counter, rate = rule.limit.route, (rule.limit.amount, rule.limit.window_seconds)
        elif rule.limit is not None:
            who, counter, rate = "address", rule.limit.value, (self.limits[rule.limit], 60)
        else:
            return {}
        return {"requests": rate[0], "seconds": rate[1], "per": who, "counter": counter}


def failures_of(rule: Rule, *, reads_json: bool) -> list[type[XinjingError]]:
    """Return what the proxy, or the edge of a service of ours, answers to requests that a rule names."""
    kinds: list[type[XinjingError]] = [*_FORWARDED]
    is_unsafe = rule.method not in SAFE_METHODS
    if rule.access is not Access.PUBLIC:
        kinds.append(errors.Unauthenticated)
    if rule.recent_seconds:
        kinds.append(errors.StepUpRequired)
    if rule.access.role or rule.role:
        kinds.append(errors.Forbidden)
    if is_unsafe and (rule.access is not Access.PUBLIC or rule.effect is not Effect.NONE):
        kinds.append(errors.CrossSiteRefused)
    if is_unsafe and rule.is_ours:
        kinds.append(errors.ContentEncodingUnsupported)
    if reads_json and rule.is_ours:
        kinds += [errors.BodyMalformed, errors.MediaTypeUnsupported]
    if rule.limit is not None:
        kinds.append(errors.TooManyRequests)
    return kinds


def _reference(kind: str, name: str) -> JsonObject:
    return {"$ref": f"#/components/{kind}/{name}"}
