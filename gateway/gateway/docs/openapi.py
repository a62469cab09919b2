"""One OpenAPI document for the whole API: the services' documents merged, public operations only."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from structlog import get_logger

from chassis import errors
from chassis.errors import XinjingError
from chassis.problems import MEDIA_TYPE
from chassis.service_client import ServiceClient
from chassis.web import Access
from gateway.auth.cookies import ASKING_PARAMETER
from gateway.proxy.request import SAFE_METHODS
from gateway.routing.paths import shape_of
from gateway.routing.rules import Effect, Rule, Service

log = get_logger(__name__)
JsonObject = dict[str, Any]  # Any: OpenAPI documents are JSON objects of many shapes.
_FRESH_SECONDS = 60.0
_FRESH_IF_PARTIAL_SECONDS = 2.0
_REFERENCE = "#/components/"
# The gateway's own parameter: no service knows of cookies.
_COOKIES_PARAMETER: JsonObject = {
    "name": ASKING_PARAMETER,
    "in": "query",
    "required": False,
    "description": "Set to `true`, the tokens are set as cookies too. Browsers get cookies without asking.",
    "schema": {"type": "string", "enum": ["true"]},
}


_PROBLEM_SCHEMA: JsonObject = {"schema": {"$ref": "#/components/schemas/Problem"}}
_RETRY_AFTER: JsonObject = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
_CHALLENGE: JsonObject = {"WWW-Authenticate": {"schema": {"type": "string"}}}
_HEADERS = {401: _CHALLENGE, 429: _RETRY_AFTER, 502: _RETRY_AFTER, 503: _RETRY_AFTER, 504: _RETRY_AFTER}
_ALWAYS = (
    *(errors.RequestRefused, errors.RequestTimeout, errors.AddressTooLong, errors.HeadersTooLarge),
    *(errors.InternalError, errors.UpstreamUnavailable, errors.DependencyUnavailable, errors.UpstreamTimeout),
)


class MergedDocument:
    """Fetches and merges the documents; a service that is away is left out until it is back."""

    def __init__(
        self,
        service_clients: Mapping[Service, ServiceClient],
        *,
        rules: tuple[Rule, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service_clients = service_clients
        self._rules = rules
        self._clock = clock
        self._last: dict[Service, JsonObject] = {}
        self._merged: JsonObject = {}
        self._fresh_until = float("-inf")
        self._lock = threading.Lock()

    def document(self) -> JsonObject:
        """Return the merged document."""
        with self._lock:
            if self._clock() >= self._fresh_until:
                fetched = [self._fetch(service) for service in self._service_clients]
                self._merged = merge(self._last, self._rules)
                self._fresh_until = self._clock() + (_FRESH_SECONDS if all(fetched) else _FRESH_IF_PARTIAL_SECONDS)
            return self._merged

    def _fetch(self, service: Service) -> bool:
        try:
            self._last[service] = self._service_clients[service].call("GET", "/internal/openapi.json")
        except XinjingError as error:
            log.warning("openapi_not_fetched", service=service, error=error.code)
            return False
        return True


def merge(documents: Mapping[Service, JsonObject], rules: tuple[Rule, ...]) -> JsonObject:
    """Put the services' operations that have a rule into one document.

    If two services have different components with one name, the second one gets its service's name in front.
    """
    known = {(rule.service, rule.method, shape_of(rule.path)): rule for rule in rules}
    paths: JsonObject = {}
    components: JsonObject = {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}}
    for service, document in documents.items():
        renamed = _add_components(service, document.get("components", {}), components)
        for path, operations in document.get("paths", {}).items():
            for method, operation in operations.items():
                rule = known.get((service, method.upper(), shape_of(path)))
                if rule is not None:
                    paths.setdefault(path, {})[method] = _operation(rule, operation, renamed)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Xinjing", "version": "1"},
        "paths": dict(sorted(paths.items())),
        "components": components,
    }


def failures_of(rule: Rule, *, reads_json: bool) -> list[type[XinjingError]]:
    """Return what the gateway, or a service's edge, answers to requests that a rule names, whatever the operation."""
    kinds: list[type[XinjingError]] = [*_ALWAYS]
    is_unsafe = rule.method not in SAFE_METHODS
    if rule.access is not Access.PUBLIC:
        kinds.append(errors.Unauthenticated)
    if rule.access.role:
        kinds.append(errors.Forbidden)
    if is_unsafe and (rule.access is not Access.PUBLIC or rule.effect is not Effect.NONE):
        kinds.append(errors.CrossSiteRefused)
    if is_unsafe:
        kinds += [errors.BodyTooLarge, errors.ContentEncodingUnsupported]
    if reads_json:
        kinds += [errors.BodyMalformed, errors.MediaTypeUnsupported]
    if rule.limit is not None:
        kinds.append(errors.TooManyRequests)
    return kinds


def _add_failures(responses: JsonObject, kinds: Iterable[type[XinjingError]]) -> JsonObject:
    """Add problems to an operation's responses; a description lists the codes, each once."""
    added = dict(responses)
    for kind in kinds:
        response = added.get(str(kind.status), {"description": "", "content": {MEDIA_TYPE: _PROBLEM_SCHEMA}})
        known = filter(None, response["description"].split(", "))
        added[str(kind.status)] = {**response, "description": ", ".join(dict.fromkeys([*known, f"`{kind.code}`"]))}
    return {
        status: {**response, "headers": _HEADERS[int(status)]} if int(status) in _HEADERS else response
        for status, response in sorted(added.items())
    }


def _operation(rule: Rule, operation: JsonObject, renamed: Mapping[str, str]) -> JsonObject:
    written: JsonObject = _rewritten(operation, renamed)
    written["operationId"] = f"{rule.service}.{operation.get('operationId', rule.name)}"
    written["tags"] = [str(rule.service)]
    if "requestBody" in written:
        written["requestBody"].setdefault("required", True)  # flask-openapi3 does not say so of files.
    reads_json = "application/json" in operation.get("requestBody", {}).get("content", {})
    written["responses"] = _add_failures(written["responses"], failures_of(rule, reads_json=reads_json))
    if rule.effect in (Effect.STARTS, Effect.REFRESHES):
        written["parameters"] = [*written.get("parameters", []), _COOKIES_PARAMETER]
    if rule.access.needs_user:
        written["security"] = [{"bearer": []}]
    elif rule.access is Access.OPTIONAL:
        written["security"] = [{}, {"bearer": []}]
    return written


def _add_components(service: Service, own: JsonObject, merged: JsonObject) -> dict[str, str]:
    renamed = {
        f"{_REFERENCE}{kind}/{name}": f"{_REFERENCE}{kind}/{service}_{name}"
        for kind, entries in own.items()
        for name, entry in entries.items()
        if merged.get(kind, {}).get(name, entry) != entry
    }
    for kind, entries in own.items():
        for name, entry in entries.items():
            target = renamed.get(f"{_REFERENCE}{kind}/{name}", name).rpartition("/")[2]
            merged.setdefault(kind, {})[target] = _rewritten(entry, renamed)
    return renamed


def _rewritten(value: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: renamed.get(inner, inner) if key == "$ref" and isinstance(inner, str) else _rewritten(inner, renamed)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_rewritten(inner, renamed) for inner in value]
    return value
