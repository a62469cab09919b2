"""The OpenAPI documents of the operator's services: fetched with bounds, and read as a stranger's.

Only operations that a route of that service reaches are taken, and of those only what `openapi_parts` knows.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any  # JSON before it is checked.

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chassis.errors import UpstreamUnavailable
from chassis.tracing import REQUEST_ID_HEADER, current_request_id, trace_headers
from gateway.docs.additions import JsonObject
from gateway.docs.openapi_parts import Operation, Parameter, References, Schema
from gateway.proxy.body import Body
from gateway.proxy.request import is_dropped
from gateway.routing.paths import template_problem
from gateway.routing.rules import RuleTable
from gateway.upstreams.upstream import Upstream, UpstreamRequest

MOST_BYTES = 1024 * 1024
_MOST_WRITTEN_BYTES = 4 * MOST_BYTES  # References that are followed make a document longer.
_SECONDS = 3.0
_JSON = re.compile(r"application/([a-z0-9.+-]+\+)?json\s*(;.*)?", re.IGNORECASE)
_METHODS = ("get", "put", "post", "delete", "patch")
_PARAMETER = re.compile(r"\{([^{}/]+)\}")
_NOT_PARAMETERS = frozenset({"accept", "content-type"})  # OpenAPI 3.1, 4.8.12.2: these definitions are ignored.


class _Document(BaseModel):
    model_config = ConfigDict(strict=True)
    openapi: str = Field(pattern=r"^3\.[01]\.[0-9]+")
    paths: dict[str, Any] = {}
    components: dict[str, Any] = {}


@dataclass(frozen=True)
class ForeignDocument:
    """The document of one service of the operator. ``path`` is asked for, ``table`` says what is reached."""

    upstream: Upstream
    path: str
    table: RuleTable

    def fetch(self) -> JsonObject:
        """Return the operations that routes reach, and the schemas that they need, as a document in 3.1.

        Raises:
            DependencyUnavailable, UpstreamTimeout: the service is away, or not done in 3 seconds.
            UpstreamUnavailable: it answers no document, a redirect, or more than `MOST_BYTES`.
        """
        text = self._fetch_text()
        try:
            document = _Document.model_validate(_read_json(text))
            written = self._read_document(document)
            _check_written(written)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(str(part) for part in wrong["loc"])
            raise UpstreamUnavailable(f"{place[:200]}: {wrong['msg'][:200]}") from error
        except (TypeError, ValueError, RecursionError) as error:
            raise UpstreamUnavailable(f"This is no OpenAPI document: {type(error).__name__}.") from error
        return written

    def _fetch_text(self) -> bytes:
        """Ask in nobody's name: a service of the operator gets no credentials of ours."""
        headers = {"Accept": "application/json", REQUEST_ID_HEADER: current_request_id(), **trace_headers()}
        response = self.upstream.send_request(
            UpstreamRequest(
                "GET", self.path, list(headers.items()), Body(b"", 0), read_seconds=_SECONDS, body_seconds=_SECONDS
            )
        )
        kinds = [value for name, value in response.headers if name.lower() == "content-type"]
        if response.status != 200 or not _JSON.fullmatch("".join(kinds)):
            response.close()
            raise UpstreamUnavailable(f"The answer is {response.status} and {''.join(kinds)[:100] or 'of no type'}.")
        return response.read_whole(MOST_BYTES)

    def _read_document(self, document: _Document) -> JsonObject:
        references = References(self.upstream.name, document.components)
        paths: JsonObject = {}
        names: set[str] = set()
        for path, item in document.paths.items():
            for method, value in self._reached(path, item):
                operation = _read_operation(path, item, value, references)
                # Two operations with one name would make the document wrong.
                if operation.get("operationId") in names:
                    del operation["operationId"]
                names.add(operation.get("operationId", ""))
                paths.setdefault(path, {})[method] = operation
        return {"paths": paths, "components": {"schemas": _read_schemas(references)}}

    def _reached(self, path: str, item: Any) -> Iterator[tuple[str, Any]]:
        """Find the operations of a path that a request can reach as it is written: no dots, no parameter twice."""
        names = _PARAMETER.findall(path)
        if template_problem(_PARAMETER.sub("x", path)) or len(set(names)) < len(names) or not isinstance(item, dict):
            return
        for method in _METHODS:
            if method in item and self.table.rule_for(self.upstream.name, method, path) is not None:
                yield method, item[method]


def _read_operation(path: str, item: Mapping[str, Any], value: Any, references: References) -> JsonObject:
    operation = Operation.model_validate(value, context=references)
    shared = item.get("parameters") or []
    if not isinstance(shared, list):
        raise TypeError("parameters")
    above = [Parameter.model_validate(each, context=references) for each in shared]
    written = operation.model_dump(by_alias=True, exclude_unset=True)
    written["parameters"] = _write_parameters(path, [*above, *operation.parameters])
    written.setdefault("responses", {})
    return written


def _write_parameters(path: str, parameters: list[Parameter]) -> list[JsonObject]:
    """Write each parameter once, the last one of a name: those of the path, and what a client may send."""
    names = _PARAMETER.findall(path)
    found = {("path", name): {"name": name, "in": "path", "schema": {"type": "string"}} for name in names}
    for parameter in parameters:
        key = (parameter.in_, parameter.name)
        if key in found or (parameter.in_ != "path" and not _is_refused(parameter)):
            found[key] = parameter.model_dump(by_alias=True, exclude_unset=True)
    return [entry | ({"required": True} if kind == "path" else {}) for (kind, _), entry in found.items()]


def _is_refused(parameter: Parameter) -> bool:
    """Say whether OpenAPI or the gateway ignores a parameter, such as the identity that the gateway writes."""
    name = parameter.name.lower()
    return parameter.in_ == "header" and (name in _NOT_PARAMETERS or is_dropped(name))


def _read_schemas(references: References) -> JsonObject:
    """Read the schemas that operations refer to, and those that these refer to."""
    schemas: JsonObject = {}
    while missing := [name for name in references.schemas if name not in schemas]:
        for name in missing:
            value = references.components["schemas"][name]
            if not isinstance(value, dict | bool):
                raise TypeError("schema")
            schema = Schema.model_validate(value, context=references) if isinstance(value, dict) else None
            schemas[name] = value if schema is None else schema.model_dump(by_alias=True, exclude_unset=True)
    return {f"{references.service}_{name}": schema for name, schema in schemas.items()}


def _read_json(text: bytes) -> Any:
    # `__proto__` would become the prototype of an object in a page's script.
    return json.loads(text, object_pairs_hook=lambda pairs: {key: value for key, value in pairs if key != "__proto__"})


def _check_written(document: JsonObject) -> None:
    """Check that the whole API's document can be written with this part: in UTF-8, without NaN, not too long.

    Raises:
        ValueError: it cannot.
    """
    size = 0
    for part in json.JSONEncoder(ensure_ascii=False, allow_nan=False).iterencode(document):
        size += len(part.encode())
        if size > _MOST_WRITTEN_BYTES:
            raise ValueError("too long")
