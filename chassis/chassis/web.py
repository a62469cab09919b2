"""What every HTTP service has: access per route, request ids, traces, logs, problems, health, metrics, OpenAPI."""

import enum
import json
import re
import time
from collections.abc import Callable, Iterable
from http import HTTPMethod
from typing import Any, TypeVar

import svcs
from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider
from flask_openapi3 import APIBlueprint, Info, OpenAPI
from pydantic import BaseModel
from structlog import get_logger

from chassis import errors
from chassis.addresses import stored_prefix
from chassis.identity import FORWARDED_FOR_HEADER, GATEWAY, INTERNAL_TOKEN_HEADER, InternalTokens, client_ip, has_role
from chassis.metrics import MetricsMiddleware, count_request
from chassis.problems import MEDIA_TYPE, Problem, install_problems, validation_response
from chassis.tracing import REQUEST_ID_HEADER, begin_environ, end_request

log = get_logger(__name__)
View = TypeVar("View", bound=Callable[..., Any])
MAX_BODY_BYTES = 1024 * 1024
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # PostgreSQL stores no text with NUL.


class StrictJson(DefaultJSONProvider):
    """Flask's JSON as RFC 8259 means it: no NaN, doubled members, half surrogate pairs or endless nesting."""

    ensure_ascii = False

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:  # Any: Flask's signature.
        """Read one document in UTF-8; a byte order mark before it is ignored (RFC 8259 8.1).

        Raises:
            ValueError: it is not JSON, or of the kinds named above.
        """
        source = s.decode("utf-8-sig") if isinstance(s, bytes) else s
        try:
            value = json.loads(source, object_pairs_hook=_members, parse_constant=_refuse_constant)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        if "\\u" in source:
            if _NUL.search(source):
                raise ValueError("a text with a NUL character")
            json.dumps(value, ensure_ascii=False).encode()  # Half a surrogate pair cannot be encoded.
        return value


class Access(enum.StrEnum):
    """Who may call a route."""

    UNAUTHENTICATED = "open"  # Everybody who can reach the port, without an internal token: health checks.
    PUBLIC = "public"  # Everybody, through the gateway.
    OPTIONAL = "optional"  # Everybody, through the gateway; the answer differs for a signed-in user.
    SIGNED_IN = "signed-in"  # A signed-in user, through the gateway.
    EDITOR = "editor"  # A signed-in user with the role `editor` or `admin`, through the gateway.
    ADMIN = "admin"  # A signed-in user with the role `admin`, through the gateway.
    SERVICE = "service"  # The services that the route names.

    @property
    def role(self) -> str:
        """The role that the user needs, or an empty text."""
        return self.value if self in (Access.EDITOR, Access.ADMIN) else ""

    @property
    def needs_user(self) -> bool:
        """Whether nobody may call the route who is not signed in."""
        return self in (Access.SIGNED_IN, Access.EDITOR, Access.ADMIN)


def endpoint(
    api: APIBlueprint | OpenAPI,
    method: str,
    path: str,
    *,
    access: Access,
    answers: dict[int, type[BaseModel] | dict[str, Any] | None] | None = None,
    failures: Iterable[type[errors.XinjingError]] = (),
    callers: frozenset[str] = frozenset(),
    documented: bool = True,
) -> Callable[[View], View]:
    """Register a view under a path, and say who may call it and what it answers.

    ``answers`` maps statuses to models (None: no body; a dictionary: OpenAPI's own form), ``failures`` names the errors
    that belong to the contract beside the usual ones, ``callers`` the services that may call an `Access.SERVICE` route.
    A view with a ``body`` argument gets one JSON object, or the caller gets 400, 415 or 422.

    Raises:
        TypeError: a GET route refuses unknown parameters, which caches and old clients add.
    """
    responses: dict[str, Any] = {str(status): model for status, model in (answers or {}).items()}
    usual: list[type[errors.XinjingError]] = [errors.RequestInvalid, errors.InternalError]
    if access.needs_user:
        usual.append(errors.Unauthenticated)
    by_status: dict[int, list[type[errors.XinjingError]]] = {}
    for kind in (*usual, *failures):
        by_status.setdefault(kind.status, []).append(kind)
    for status, kinds in by_status.items():
        responses[str(status)] = {
            "description": ", ".join(f"`{kind.code}`" for kind in kinds),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }

    def register(view: View) -> View:
        _allow(view, access, callers)
        query = view.__annotations__.get("query")
        if method == "GET" and query is not None and query.model_config.get("extra") == "forbid":
            raise TypeError(f"{path} must ignore unknown parameters")
        if query is not None:
            _keep_schema(query)
        view.reads_json = "body" in view.__annotations__  # type: ignore[attr-defined]
        getattr(api, method.lower())(
            path,
            operation_id=view.__name__,
            summary=(view.__doc__ or "").partition("\n")[0].strip(),
            responses=responses,
            openapi_extensions={"x-access": access.value},
            doc_ui=documented,
        )(view)
        return view

    return register


def media_answer(media_type: str) -> dict[str, Any]:
    """Describe an answer that is a file, for `endpoint`."""
    return {"description": "OK", "content": {media_type: {"schema": {"type": "string", "format": "binary"}}}}


def _keep_schema(model: type[BaseModel]) -> None:
    # flask-openapi3 (4.3) asks for the schema of a query in each request: a third of the time of a list of articles.
    make, kept = model.model_json_schema.__func__, model.model_json_schema()  # type: ignore[attr-defined]

    def read_schema(kind: type[BaseModel], *arguments: Any, **options: Any) -> Any:
        # A model that is made from this one has a schema of its own.
        return kept if kind is model and not (arguments or options) else make(kind, *arguments, **options)

    model.model_json_schema = classmethod(read_schema)  # type: ignore[method-assign, assignment]


def _allow(view: Callable[..., Any], access: Access, callers: frozenset[str] = frozenset()) -> None:
    view.access, view.callers = access, callers  # type: ignore[attr-defined]


def create_api(
    import_name: str,
    *,
    service: str,
    tokens: InternalTokens,
    metrics_port: int,
    clock: Callable[[], float] = time.perf_counter,
    **flask_options: Any,  # Passed to Flask as they are.
) -> OpenAPI:
    """Make a service's app with everything that services share; its routes and its own values are added later.

    The generated OpenAPI document stands at ``/internal/openapi.json``; the ``description`` of a service is its own.
    Register values with `svcs.flask`; ``/readyz`` calls their pings.
    """
    app = OpenAPI(
        import_name,
        info=Info(title=service, version="1"),
        doc_ui=False,
        validation_error_callback=validation_response,
        **flask_options,
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json = StrictJson(app)
    svcs.flask.init_app(app)
    install_problems(app)
    install_observation(app, service, clock)
    _install_access(app, service, tokens)
    install_health(app)
    _install_document(app)
    app.wsgi_app = MetricsMiddleware(app.wsgi_app, metrics_port)  # type: ignore[method-assign]
    return app


def install_observation(app: Flask, service: str, clock: Callable[[], float] = time.perf_counter) -> None:
    """Give every request an id, a trace, a log line and metrics."""

    @app.before_request
    def begin() -> None:
        g.begun_at = clock()
        g.request_id = begin_environ(request.environ)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = g.request_id
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        route = request.url_rule.rule if request.url_rule else "unmatched"
        method = request.method if request.method in HTTPMethod.__members__ else "other"  # Clients invent methods.
        seconds, status = clock() - g.begun_at, response.status_code
        count_request(seconds, service=service, method=method, route=route, status=status)
        if route not in ("/healthz", "/readyz"):
            # Other services call without an address.
            client = {"client_ip": client_ip()} if stored_prefix(request.headers.get(FORWARDED_FOR_HEADER, "")) else {}
            log.info("request", method=method, route=route, status=status, seconds=round(seconds, 4), **client)
            end_request(method=method, route=route, status=status, seconds=seconds)
        return response


def _install_access(app: OpenAPI, service: str, tokens: InternalTokens) -> None:
    @app.before_request
    def check() -> None:
        if request.routing_exception is not None:
            raise request.routing_exception
        if "\0" in request.path or b"%00" in request.query_string:
            raise errors.RequestRefused("No address of ours holds a NUL character.")
        view = app.view_functions[request.endpoint or ""]
        access: Access | None = getattr(view, "access", None)
        if access is None:
            raise errors.Forbidden("This route does not say who may call it.")
        if access is not Access.UNAUTHENTICATED:
            g.caller = tokens.read_token(request.headers.get(INTERNAL_TOKEN_HEADER, ""), audience=service)
            _check_caller(access, getattr(view, "callers", frozenset()))
        coding = request.headers.get("Content-Encoding") or "identity"
        if coding.lower() != "identity" and request.method not in ("GET", "HEAD"):
            raise errors.ContentEncodingUnsupported
        if getattr(view, "reads_json", False):
            _check_json()


def _check_caller(access: Access, callers: frozenset[str]) -> None:
    if access is Access.SERVICE:
        if g.caller.service not in callers:
            raise errors.ServiceRefused
        return
    if g.caller.service != GATEWAY:
        raise errors.ServiceRefused
    if access.needs_user and g.caller.user_id is None:
        raise errors.Unauthenticated
    if access.role and not has_role(g.caller.roles, access.role):
        raise errors.Forbidden


def _check_json() -> None:
    if not request.is_json:
        raise errors.MediaTypeUnsupported("Send the body as application/json.")
    if not isinstance(request.get_json(), dict):
        raise errors.BodyMalformed


def install_health(app: Flask, remarks: Callable[[], dict[str, str]] = dict) -> None:
    """Add ``/healthz`` and ``/readyz``; the latter calls the pings of the values registered with `svcs.flask`.

    ``remarks`` are texts by name that ``/readyz`` answers too, and that make nothing unready. A service that stops is
    not ready, though it still answers (`serving.worker`): load balancers in front of it leave first.
    """

    def healthz() -> dict[str, str]:
        return {"status": "up"}

    def readyz() -> tuple[dict[str, Any], int]:
        checks = {ping.name: _check_readiness(ping) for ping in svcs.flask.get_pings()}
        if request.environ.get("xinjing.stopping"):
            checks["stopping"] = "down"
        ready = all(state == "up" for state in checks.values())
        answer = {"status": "ready" if ready else "not ready", "checks": checks}
        return answer | ({"remarks": found} if (found := remarks()) else {}), 200 if ready else 503

    for path, view in (("/healthz", healthz), ("/readyz", readyz)):
        _allow(view, Access.UNAUTHENTICATED)
        app.add_url_rule(path, view_func=view)
    if "static" in app.view_functions:
        _allow(app.view_functions["static"], Access.PUBLIC)


def _install_document(app: OpenAPI) -> None:
    def openapi() -> dict[str, Any]:
        return openapi_document(app)

    _allow(openapi, Access.SERVICE, frozenset({GATEWAY}))
    app.add_url_rule("/internal/openapi.json", view_func=openapi)


def _check_readiness(ping: svcs.ServicePing) -> str:
    try:
        ping.ping()
    except Exception as error:
        log.warning("not_ready", part=ping.name, exc_info=error)
        return "down"
    return "up"


def openapi_document(app: OpenAPI) -> dict[str, Any]:
    """Return a service's OpenAPI document: its public operations, and one schema for every problem."""
    with app.app_context():
        document: dict[str, Any] = app.api_doc
    # flask-openapi3 writes null for what is missing, but the OpenAPI schema allows only objects.
    components = {name: entries for name, entries in document["components"].items() if entries is not None}
    document["components"] = components
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs") | {"Problem": problem}
    schemas.pop("ValidationErrorModel", None)
    return document


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member stands twice")
    return members


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
