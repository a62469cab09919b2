"""Reads the routes files, our own and the operator's, checks them against each other, and builds the table of rules.

Every problem of every file is named at once, with file and line. Nothing is taken from files of which one is wrong.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar  # Any: pydantic's errors.

from pydantic import BaseModel, ValidationError

from chassis.identity import GATEWAY
from chassis.web import Access
from gateway.routing.paths import canonical, shape_of
from gateway.routing.rules import OUR_SERVICES, Effect, Limit, RouteLimit, Rule, RuleTable
from gateway.routing.schema import (
    FORMS,
    AnyRouteEntry,
    IdentityForm,
    LimitEntry,
    OwnRoutesFile,
    RoleAccess,
    RouteEntry,
    RoutesFile,
    ServiceEntry,
)
from gateway.routing.yaml_file import MOST_CHARACTERS, Place, Problem, YamlFile

_OWN_FILE = "routes.yaml"
_OUR_NAMES = OUR_SERVICES | {GATEWAY}
# A path of ours with placeholders has fewer segments below its literal ones; only a prefix of ours takes so many.
_BELOW = "-/-/-/-/-/-/-/-"
# Among 200 services, a likely name for each of 2000 wrong ones would take a worker ten seconds.
_MOST_HINTS = 20
Model = TypeVar("Model", bound=BaseModel)


class RoutesRefused(Exception):
    """The files are wrong; ``problems`` are in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class SourceText:
    """The name of a file as the operator wrote it, and what it holds; why it cannot be read, if it cannot."""

    name: str
    text: str
    problem: Problem | None = None


@dataclass(frozen=True)
class Routes:
    """All rules, and the operator's services by name."""

    table: RuleTable
    services: Mapping[str, ServiceEntry]


@dataclass(frozen=True)
class _Located:
    """One route of an operator's file, and where it stands."""

    entry: RouteEntry
    file: YamlFile
    number: int

    def add_problem(self, name: str, text: str) -> None:
        self.file.add_problem(("routes", self.number, name), text)

    @property
    def where(self) -> str:
        return f"{self.file.name}:{self.file.line_of(('routes', self.number))}"


@cache
def own_rules() -> tuple[Rule, ...]:
    """Return the rules of our own services.

    Raises:
        RoutesRefused: our file is wrong.
    """
    file = YamlFile(_OWN_FILE)
    file.read(resources.files(__package__).joinpath(_OWN_FILE).read_text("utf-8"))
    parsed, _ = _parse(OwnRoutesFile, file)
    if file.problems:
        raise RoutesRefused(file.problems)
    return tuple(rule for entry in parsed.routes for rule in _rules_of(entry, limit=entry.limit, effect=entry.effect))


def read_texts(paths: Iterable[Path]) -> list[SourceText]:
    """Read the operator's files; of one that is too long, enough to see that."""
    return [_read_text(path) for path in paths]


def _read_text(path: Path) -> SourceText:
    name = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(4 * MOST_CHARACTERS + 4)
        return SourceText(name, data.decode("utf-8-sig"))
    except OSError as error:
        return SourceText(name, "", Problem(name, 1, "", f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return SourceText(name, "", Problem(name, line, "", "is no text in UTF-8"))


def build_routes(texts: Iterable[SourceText], *, can_sign: bool) -> Routes:
    """Build the table of our rules and those of the operator's files. ``can_sign``: the gateway has identity keys.

    Raises:
        RoutesRefused: a file is wrong, or two do not agree.
    """
    files: list[YamlFile] = []
    services: dict[str, ServiceEntry] = {}
    located: list[_Located] = []
    for source in texts:
        file = YamlFile(source.name, problems=[source.problem] if source.problem else [])
        file.read(source.text)
        parsed, numbers = _parse(RoutesFile, file)
        _check_services(file, parsed.services, services, can_sign=can_sign)
        services |= parsed.services
        located += [_Located(entry, file, number) for entry, number in zip(parsed.routes, numbers, strict=True)]
        files.append(file)
    # A route that names a service which is wrong itself is right: that is one problem, not two.
    _check_routes(located, {name for file in files for name in _names_of_services(file.value)})
    if problems := [problem for file in files for problem in file.problems]:
        raise RoutesRefused(problems)
    foreign = (rule for each in located for rule in _rules_of(each.entry, limit=_limit_of(each.entry)))
    return Routes(RuleTable(own_rules(), foreign), services)


def _parse(kind: type[Model], file: YamlFile) -> tuple[Model, list[int]]:
    """Return what is right of a file, with the numbers of its routes; what is wrong becomes problems of the file."""
    value = file.value if file.value is not None else {}
    try:
        parsed = kind.model_validate(value)
    except ValidationError as error:
        broken = set()
        for wrong in error.errors(include_url=False, include_input=False):
            _add_error(file, wrong)
            broken.add(wrong["loc"][:2])
        value, numbers = _without(value, broken)
        return kind.model_validate(value), numbers
    return parsed, list(range(len(value.get("routes", []))))


def _without(value: Any, broken: set[Place]) -> tuple[dict[str, Any], list[int]]:
    content = {key: part for key, part in value.items() if (key,) not in broken} if isinstance(value, dict) else {}
    routes, services = content.get("routes", []), content.get("services", {})
    numbers = [number for number in range(len(routes)) if ("routes", number) not in broken]
    return {
        "routes": [routes[number] for number in numbers],
        "services": {name: service for name, service in services.items() if ("services", name) not in broken},
    }, numbers


def _add_error(file: YamlFile, wrong: Mapping[str, Any]) -> None:
    place = tuple(part for part in wrong["loc"] if part not in (*FORMS, "[key]"))
    if wrong["type"] == "extra_forbidden":
        near = get_close_matches(str(place[-1]), _fields_beside(place), n=1)
        file.add_problem(place, f"is unknown, did you mean {near[0]}?" if near else "is unknown")
    elif wrong["type"] == "missing":
        file.add_problem(place, "is missing")
    elif wrong["type"] == "string_pattern_mismatch":
        is_url = place[-2:-1] == ("urls",)
        file.add_problem(place, "must be http://host:port" if is_url else f"must match {wrong['ctx']['pattern']}")
    else:
        file.add_problem(place, wrong["msg"].removeprefix("Value error, "))


def _fields_beside(place: Place) -> Iterable[str]:
    """Return the names that may stand where an unknown one stands."""
    kinds: dict[object, type[BaseModel]] = {"limit": LimitEntry, "access": RoleAccess}
    if len(place) == 1:
        return RoutesFile.model_fields
    return kinds.get(place[-2], ServiceEntry if place[0] == "services" else RouteEntry).model_fields


def _names_of_services(value: Any) -> Iterator[str]:
    services = value.get("services") if isinstance(value, dict) else None
    yield from services if isinstance(services, dict) else ()


def _check_services(
    file: YamlFile, found: Mapping[str, ServiceEntry], before: Mapping[str, ServiceEntry], *, can_sign: bool
) -> None:
    for name, service in found.items():
        place = ("services", name)
        if name in _OUR_NAMES:
            file.add_problem(place, "is a service of ours; choose another name")
        if name in before:
            file.add_problem(place, "stands in another file, too")
        if service.identity is IdentityForm.TOKEN and not can_sign:
            file.add_problem((*place, "identity"), "token needs a key that signs: GATEWAY_IDENTITY_KEYS")


def _check_routes(located: list[_Located], services: set[str]) -> None:
    table = RuleTable(own_rules())
    by_method: dict[tuple[str, str], _Located] = {}
    spellings: dict[str, str] = {}
    hints = repeat(True, _MOST_HINTS)
    for each in located:
        entry, lenient = each.entry, canonical(shape_of(each.entry.path))
        _check_service(each, services, hints)
        if entry.limit and entry.limit.per == "user" and entry.required_access is Access.PUBLIC:
            each.add_problem("limit", "per user needs another access: no user is known where it is public")
        if (ours := _hidden_by(table, entry.path)) is not None:
            each.add_problem("path", f"is hidden by {ours}, which is ours")
        if spellings.setdefault(lenient, entry.path) != entry.path:
            each.add_problem("path", f"is {spellings[lenient]} to some services; write it the same")
        for number, method in enumerate(entry.methods):
            other = by_method.setdefault((method, lenient), each)
            if other is not each or method in entry.methods[:number]:
                each.add_problem("methods", f"{method} {entry.path} stands twice, also in {other.where}")


def _check_service(route: _Located, services: set[str], hints: Iterator[bool]) -> None:
    name = route.entry.service
    if name in _OUR_NAMES:
        route.add_problem("service", "is a service of ours, and its routes are ours")
    elif name not in services:
        near = get_close_matches(name, services, n=1) if next(hints, None) else []
        route.add_problem("service", f"names no service{f', did you mean {near[0]}?' if near else ''}")


def _hidden_by(table: RuleTable, path: str) -> str | None:
    """Return the template of ours that takes all requests of a template; None if there is none."""
    sample = path.removesuffix("**") + _BELOW if path.endswith("/**") else shape_of(path).replace("{}", "-")
    return table.own_path_like(sample)


def _limit_of(entry: RouteEntry) -> RouteLimit | None:
    if entry.limit is None:
        return None
    return RouteLimit(
        route=f"{','.join(sorted(entry.methods))} {entry.path}",
        per_user=entry.limit.per == "user",
        amount=entry.limit.amount,
        window_seconds=entry.limit.window_seconds,
    )


def _rules_of(
    entry: AnyRouteEntry, *, limit: Limit | RouteLimit | None, effect: Effect = Effect.NONE
) -> Iterator[Rule]:
    for method in entry.methods:
        yield Rule(
            method,
            entry.path,
            entry.service,
            entry.required_access,
            limit,
            effect,
            entry.body_max,
            role=entry.required_role,
            recent_seconds=entry.recent_seconds,
            cache_seconds=entry.cache_seconds,
        )
