"""What is read of a stranger's OpenAPI document, as pydantic models: the parts that describe requests and answers.

Everything else is dropped: servers, security, callbacks, links, extensions, addresses of other documents. What 3.0
spells otherwise becomes 3.1. References inside the document are followed; schemas alone stay references, under names
with the service's in front.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self  # Any: JSON before it is checked, and examples.

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel

from gateway.docs.additions import SCHEMA_REFERENCE, JsonObject

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_MAY_BE_NULL = frozenset({"default", "const", "example", "value"})
_STYLES = {
    "path": ("matrix", "label", "simple"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}


@dataclass
class References:
    """The components of the document that is read, and the names of the schemas that were referred to so far."""

    service: str
    components: Mapping[str, Any]
    schemas: dict[str, None] = field(default_factory=dict)  # In their order.

    def resolve(self, value: Any, kind: str) -> Any:
        """Return what a reference to a component of a kind means; another value as it is.

        Raises:
            ValueError: it leads to nothing in this document, or to another reference.
        """
        if not isinstance(value, dict) or "$ref" not in value:
            return value
        prefix, _, name = str(value["$ref"]).rpartition("/")
        entry = self._entry(kind, name) if prefix == f"#/components/{kind}" else None
        if not isinstance(entry, dict) or "$ref" in entry:
            raise ValueError("a reference leads to nothing in this document")
        return entry

    def rename(self, reference: Any) -> str | None:
        """Return a reference to a schema as it is in the merged document; None if it leads out of this one."""
        name = str(reference).removeprefix(SCHEMA_REFERENCE)
        if reference != SCHEMA_REFERENCE + name or not _NAME.fullmatch(name) or self._entry("schemas", name) is None:
            return None
        self.schemas[name] = None
        return f"{SCHEMA_REFERENCE}{self.service}_{name}"

    def _entry(self, kind: str, name: str) -> Any:
        entries = self.components.get(kind)
        return entries.get(name) if isinstance(entries, dict) else None


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, alias_generator=to_camel)
    KIND: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _prepare(cls, value: Any, info: ValidationInfo) -> Any:
        references: References = info.context  # type: ignore[assignment]
        value = references.resolve(value, cls.KIND) if cls.KIND else value
        if not isinstance(value, dict):
            return value
        # Some programs write null for what is missing.
        present = {name: entry for name, entry in value.items() if entry is not None or name in _MAY_BE_NULL}
        return cls._converted(present, references)

    @classmethod
    def _converted(cls, value: JsonObject, _references: References) -> JsonObject:
        return value

    def write(self) -> JsonObject:
        """Return what was read, as JSON."""
        return self.model_dump(by_alias=True, exclude_unset=True)


Number = Annotated[int | float, Field(allow_inf_nan=False)]
Size = Annotated[int, Field(ge=0)]
TypeName = Literal["null", "boolean", "object", "array", "number", "string", "integer"]


class Schema(_Part):
    """A JSON Schema, as far as documents use it."""

    ref: str = Field(default="", alias="$ref")
    type: TypeName | Annotated[list[TypeName], Field(min_length=1)] = []
    title: str = ""
    description: str = ""
    format: str = ""
    pattern: str = ""
    enum: list[Any] = []
    const: Any = None
    default: Any = None
    examples: list[Any] = []
    properties: "dict[str, bool | Schema]" = {}
    pattern_properties: "dict[str, bool | Schema]" = {}
    additional_properties: "bool | Schema" = True
    property_names: "bool | Schema" = True
    items: "bool | Schema" = True
    prefix_items: "list[bool | Schema]" = Field(default=[], min_length=1)
    all_of: "list[bool | Schema]" = Field(default=[], min_length=1)
    any_of: "list[bool | Schema]" = Field(default=[], min_length=1)
    one_of: "list[bool | Schema]" = Field(default=[], min_length=1)
    not_: "bool | Schema" = Field(default=False, alias="not")
    required: list[str] = []
    minimum: Number = 0
    maximum: Number = 0
    exclusive_minimum: Number = 0
    exclusive_maximum: Number = 0
    multiple_of: Number = Field(default=1, gt=0)
    min_length: Size = 0
    max_length: Size = 0
    min_items: Size = 0
    max_items: Size = 0
    min_properties: Size = 0
    max_properties: Size = 0
    unique_items: bool = False
    read_only: bool = False
    write_only: bool = False
    deprecated: bool = False
    content_encoding: str = ""
    content_media_type: str = ""

    @classmethod
    def _converted(cls, value: JsonObject, references: References) -> JsonObject:
        schema = dict(value)
        if "$ref" in schema and (renamed := references.rename(schema.pop("$ref"))):
            schema["$ref"] = renamed
        for strict, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if isinstance(schema.get(strict), bool) and schema.pop(strict) and bound in schema:
                schema[strict] = schema.pop(bound)
        if "example" in schema:
            schema.setdefault("examples", [schema.pop("example")])
        return _nullable(schema) if schema.pop("nullable", False) is True else schema


def _nullable(schema: JsonObject) -> JsonObject:
    """Write a schema of 3.0 that null fits, too."""
    if isinstance(schema.get("type"), str):
        values = {"enum": [*schema["enum"], None]} if isinstance(schema.get("enum"), list) else {}
        return {**schema, "type": [schema["type"], "null"], **values}
    return {"anyOf": [schema, {"type": "null"}]}


class Example(_Part):
    """One of several examples."""

    KIND = "examples"
    summary: str = ""
    description: str = ""
    value: Any = None


class _Described(_Part):
    """What a schema and examples describe; two kinds of examples exclude each other."""

    schema_: "bool | Schema" = Field(default=True, alias="schema")
    example: Any = None
    examples: dict[str, Example] = {}

    @classmethod
    def _converted(cls, value: JsonObject, _references: References) -> JsonObject:
        return {name: entry for name, entry in value.items() if name != "example" or "examples" not in value}


class MediaType(_Described):
    """A body in one media type."""


Content = dict[str, MediaType]


class _Value(_Described):
    """A parameter or a header: a schema, or one media type."""

    description: str = ""
    required: bool = False
    deprecated: bool = False
    explode: bool = False
    content: Annotated[Content, Field(min_length=1, max_length=1)] = {}

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        if ("schema_" in self.model_fields_set) == ("content" in self.model_fields_set):
            raise ValueError("needs either schema or content")
        return self


class Header(_Value):
    """A header of an answer."""

    KIND = "headers"


class Parameter(_Value):
    """A parameter of a request."""

    KIND = "parameters"
    name: str = Field(min_length=1)
    in_: Literal["path", "query", "header", "cookie"] = Field(alias="in")
    style: str = ""

    @classmethod
    def _converted(cls, value: JsonObject, references: References) -> JsonObject:
        converted = super()._converted(value, references)
        if converted.get("style") not in _STYLES.get(str(converted.get("in")), ()):
            converted.pop("style", None)
        return converted


class RequestBody(_Part):
    """The body of a request."""

    KIND = "requestBodies"
    description: str = ""
    content: Annotated[Content, Field(min_length=1)]
    required: bool = False


class Response(_Part):
    """An answer."""

    KIND = "responses"
    description: str = ""
    headers: dict[str, Header] = {}
    content: Content = {}

    @classmethod
    def _converted(cls, value: JsonObject, _references: References) -> JsonObject:
        return {"description": "", **value}


class Operation(_Part):
    """An operation: a method at a path."""

    operation_id: str = Field(default="", min_length=1)
    summary: str = ""
    description: str = ""
    deprecated: bool = False
    parameters: list[Parameter] = []
    request_body: RequestBody | None = None
    responses: dict[Annotated[str, Field(pattern=r"^(default|[1-5]([0-9][0-9]|XX))$")], Response] = {}
