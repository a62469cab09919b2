"""What a routes file may say, as pydantic models; the JSON Schema for editors is made from them.

Our own ``routes.yaml`` says two things more: which setting limits a route, and what its success means for a session.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Literal  # Any: values before they are checked.

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, WithJsonSchema, model_validator

from chassis.web import MAX_BODY_BYTES, Access
from gateway.routing.paths import template_problem
from gateway.routing.rules import Effect, Limit
from gateway.settings import Address

_RATE = re.compile(r"([1-9][0-9]{0,5})/(second|minute|hour)")
_RATE_SCHEMA = {"type": "string", "pattern": f"^{_RATE.pattern}$"}
_WINDOWS = {"second": 1, "minute": 60, "hour": 3600}
_SERVICE, _ROLE = r"^[a-z][a-z0-9-]{0,62}$", r"^[A-Za-z0-9_.:-]{1,64}$"
_LONGEST_RECENT_SECONDS = 30 * 86_400


def _check_path(path: str) -> str:
    if problem := template_problem(path):
        raise ValueError(problem)
    return path


def _check_rate(rate: str) -> str:
    if not _RATE.fullmatch(rate):
        raise ValueError("must be a number per second, minute or hour, such as 60/minute")
    return rate


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class IdentityForm(StrEnum):
    """How a service of the operator learns who sends a request."""

    TOKEN = "token"  # X-Identity, a token that the service verifies with the gateway's public keys.
    HEADERS = "headers"  # X-User-Id and X-User-Roles: only for a service that nobody but the gateway can reach.
    NONE = "none"


class ServiceEntry(_Entry):
    """A service of the operator behind the gateway."""

    urls: list[Address] = Field(min_length=1, max_length=16, description="Where its replicas listen: http://host:port.")
    identity: Annotated[IdentityForm, Field(strict=False)] = Field(
        default=IdentityForm.NONE,
        description="How it learns who sends a request: X-Identity, X-User-Id and X-User-Roles, or not at all.",
    )
    timeout_seconds: float | None = Field(
        default=None,
        gt=0,
        le=120,
        description="Of silence; else GATEWAY_UPSTREAM_READ_SECONDS.",
    )


class RoleAccess(_Entry):
    """A signed-in user, with a role, or with a sign-in that is not long ago, or with both."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    role: str | None = Field(default=None, pattern=_ROLE)
    recent_seconds: int | None = Field(
        default=None, ge=1, le=_LONGEST_RECENT_SECONDS, description="Older sign-ins get 401 step_up_required."
    )

    @model_validator(mode="after")
    def _check_some(self) -> "RoleAccess":
        if self.role is None and self.recent_seconds is None:
            raise ValueError("needs role or recent_seconds")
        return self


class LimitEntry(_Entry):
    """How often one user, or one address, may call the route."""

    per: Literal["user", "address"]
    rate: Annotated[str, AfterValidator(_check_rate), WithJsonSchema(_RATE_SCHEMA)]

    @property
    def amount(self) -> int:
        """How many requests."""
        return int(self.rate.partition("/")[0])

    @property
    def window_seconds(self) -> int:
        """In which time."""
        return _WINDOWS[self.rate.partition("/")[2]]


# The parts of a place that pydantic adds for the two forms of access.
FORMS = ("<word>", "<mapping>")
AccessEntry = Annotated[
    Annotated[Literal["public", "optional", "signed-in"], Tag("<word>")] | Annotated[RoleAccess, Tag("<mapping>")],
    Discriminator(lambda value: FORMS[isinstance(value, dict | RoleAccess)]),
]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class AnyRouteEntry(_Entry):
    """A path, and what requests to it may do."""

    path: Annotated[
        str,
        AfterValidator(_check_path),
        Field(
            description="/orders, /orders/{day}, or /orders/** with all below it.",
            json_schema_extra={"pattern": r"^(/([^/*{}%;?#]+|\{[A-Za-z_][A-Za-z0-9_]*\}))*(/|/\*\*)?$"},
        ),
    ]
    methods: list[Method] = Field(min_length=1, description="GET includes HEAD.")
    service: str = Field(pattern=_SERVICE, description="A name of `services`.")
    access: AccessEntry
    cache_seconds: int = Field(
        default=0,
        ge=0,
        le=86_400,
        description="For how long answers to readers who are not signed in are kept, if they say nothing about it.",
    )
    body_max: int = Field(default=MAX_BODY_BYTES, ge=0, le=1024**3, description="Bytes; 0: no body.")

    @property
    def required_access(self) -> Access:
        """Who may call the route; a role that is not ours stands in `required_role` alone."""
        if isinstance(self.access, str):
            return Access(self.access)
        return {"admin": Access.ADMIN, "editor": Access.EDITOR}.get(self.access.role or "", Access.SIGNED_IN)

    @property
    def required_role(self) -> str:
        """The role that a user needs, or an empty text."""
        return "" if isinstance(self.access, str) else self.access.role or ""

    @property
    def recent_seconds(self) -> int:
        """How old a sign-in may be; 0: as old as it is."""
        return 0 if isinstance(self.access, str) else self.access.recent_seconds or 0


class RouteEntry(AnyRouteEntry):
    """A route to a service of the operator."""

    limit: LimitEntry | None = None


class OwnRouteEntry(AnyRouteEntry):
    """A route to a service of ours."""

    limit: Annotated[Limit, Field(strict=False)] | None = None
    effect: Annotated[Effect, Field(strict=False)] = Effect.NONE


ServiceName = Annotated[str, Field(pattern=_SERVICE)]


class RoutesFile(_Entry):
    """Services of your own behind the gateway, and the routes that lead to them."""

    services: dict[ServiceName, ServiceEntry] = {}
    routes: list[RouteEntry] = Field(default=[], max_length=2000)


class OwnRoutesFile(_Entry):
    """Our services, whose addresses are settings, and their routes."""

    services: dict[ServiceName, None] = {}
    routes: list[OwnRouteEntry] = []


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of an operator's file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **RoutesFile.model_json_schema()}
