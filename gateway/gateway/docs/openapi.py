"""One OpenAPI document for the whole API: the services' documents merged, and what the gateway adds.

A service of ours has a document; one of the operator's has one if its routes file names it (`foreign_documents`). Only
operations that a rule reaches are in it. A route of the operator without a document is listed as its file describes it.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from structlog import get_logger

from chassis.errors import XinjingError
from gateway.docs.additions import Additions, JsonObject
from gateway.docs.own_endpoints import own_paths
from gateway.routing.paths import shape_of, specificity
from gateway.routing.rules import Rule, RuleTable

log = get_logger(__name__)
Fetch = Callable[[], JsonObject]
_FRESH_SECONDS = 60.0
_FRESH_IF_AWAY_SECONDS = 2.0
_MOST_FETCHES = 8  # At the same time.
_REFERENCE = "#/components/"
_PARAMETER = re.compile(r"\{([^{}]*)\}")
_INFO = {
    "title": "Xinjing",
    "version": "1",
    "description": "All operations are called through the gateway, which adds to each what stands beside it: who may"
    " call it, how often, with how large a body. GET includes HEAD. Errors are problems (RFC 9457) with a stable"
    " `code`. Sign in by `POST /api/v1/sessions`: programs send the access token as"
    " bearer, our own pages send cookies.",
}


@dataclass
class _Source:
    """The document of one service: how it is fetched, the last good one, and until when it is good enough."""

    fetch: Fetch
    last: JsonObject | None = None
    fresh_until: float = float("-inf")


class MergedDocument:
    """Fetches and merges the documents. A service that is away keeps its last one, and is left out without one.

    ``fetches`` raise `XinjingError` if there is no document; ``has_inbox`` asks whether messages are kept.
    """

    def __init__(
        self,
        fetches: Mapping[str, Fetch],
        *,
        table: RuleTable,
        additions: Additions,
        has_inbox: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources = {service: _Source(fetch) for service, fetch in fetches.items()}
        self._table = table
        self._additions = additions
        self._has_inbox = has_inbox
        self._clock = clock
        self._merged: JsonObject = {}
        self._lock = threading.Lock()

    def document(self) -> JsonObject:
        """Return the merged document. While one thread refreshes it, the others get that of before."""
        if self._lock.acquire(blocking=not self._merged):
            try:
                self._refresh()
            finally:
                self._lock.release()
        return self._merged

    def _refresh(self) -> None:
        now = self._clock()
        stale = [service for service, source in self._sources.items() if now >= source.fresh_until]
        if not stale and self._merged:
            return
        with ThreadPoolExecutor(_MOST_FETCHES) as pool:
            for task in [pool.submit(copy_context().run, self._fetch, service) for service in stale]:
                task.result()
        documents = {service: source.last for service, source in self._sources.items() if source.last is not None}
        self._merged = merge(documents, self._table, self._additions, has_inbox=self._has_inbox())

    def _fetch(self, service: str) -> None:
        source, fresh_seconds = self._sources[service], _FRESH_IF_AWAY_SECONDS
        try:
            source.last = source.fetch()
            fresh_seconds = _FRESH_SECONDS
        except XinjingError as error:
            log.warning("openapi_not_fetched", service=service, error=error.code, detail=error.detail)
        source.fresh_until = self._clock() + fresh_seconds


def merge(
    documents: Mapping[str, JsonObject], table: RuleTable, additions: Additions, *, has_inbox: bool = False
) -> JsonObject:
    """Put the services' operations that have a rule, and the gateway's own, into one document.

    If two services have different components with one name, the second one gets its service's name in front.
    """
    paths, components = _Paths(own_paths(additions, has_inbox=has_inbox)), additions.components()
    described: set[tuple[str, str]] = set()
    for service, document in documents.items():
        renamed = _add_components(service, document.get("components", {}), components)
        for path, operations in document.get("paths", {}).items():
            for method, operation in operations.items():
                rule = table.rule_for(service, method, path)
                if rule is not None:
                    described.add((rule.method, rule.path))
                    written = _written(f"{method.upper()} {path}", rule, _rewritten(operation, renamed))
                    paths.add(path, method, additions.complete(rule, written))
    for rule in sorted(table.foreign_rules, key=lambda each: specificity(each.path)):  # Prefixes last.
        if (rule.method, rule.path) not in described:
            path, operation = _undescribed(rule, paths)
            paths.add(path, rule.method.lower(), additions.complete(rule, operation))
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "paths": dict(sorted(paths.items.items())),
        "components": components,
    }


@dataclass
class _Paths:
    """The paths of the document. Those that differ in the names of their parameters alone are one path in OpenAPI."""

    items: JsonObject
    _spellings: dict[str, str] = field(default_factory=dict)

    def add(self, path: str, method: str, operation: JsonObject) -> None:
        """Add an operation; its path's parameters get the names that the path has already."""
        spelling = self._spellings.setdefault(shape_of(path), path)
        names = dict(zip(_PARAMETER.findall(path), _PARAMETER.findall(spelling), strict=True))
        for parameter in operation["parameters"]:
            if parameter.get("in") == "path":
                parameter["name"] = names.get(parameter["name"], parameter["name"])
        self.items.setdefault(spelling, {})[method] = operation

    def has(self, path: str, method: str) -> bool:
        """Say whether there is such an operation."""
        return method in self.items.get(self._spellings.get(shape_of(path), path), {})


def _written(name: str, rule: Rule, operation: JsonObject) -> JsonObject:
    if "requestBody" in operation:
        operation["requestBody"].setdefault("required", True)  # flask-openapi3 does not say so of files.
    return operation | {
        "operationId": f"{rule.service}.{operation.get('operationId', name)}",
        "tags": [str(rule.service)],
    }


def _undescribed(rule: Rule, paths: _Paths) -> tuple[str, JsonObject]:
    """Write an operation of which only the route is known; a prefix gets a parameter for what is below it."""
    path, number = rule.path, 1
    if path.endswith("/**"):
        path = f"{path.removesuffix('**')}{{rest}}"
        while paths.has(path, rule.method.lower()):  # A more specific route has one segment here: this is all below.
            number += 1
            path += f"/{{rest{number}}}"
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(path)
    ]
    operation = {
        "summary": rule.path,
        "parameters": parameters,
        "responses": {"default": {"description": "What the service answers."}},
    }
    return path, _written(rule.name, rule, operation)


def _add_components(service: str, own: JsonObject, merged: JsonObject) -> dict[str, str]:
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
