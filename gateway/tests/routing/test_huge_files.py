"""Thousands of routes: loading grows as their number does, finding one does not grow, and too many are refused.

Compared is the processor time of this process, the least of several tries, so that other programs count little.
"""

import time
from collections.abc import Callable

import pytest

from chassis.web import Access
from gateway.proxy.request import Target
from gateway.routing.route_files import Routes, RoutesRefused, SourceText, build_routes
from gateway.routing.yaml_file import MOST_CHARACTERS

FEW, MANY = 100, 1000
MOST = 2000
TRIES, FINDS = 2, 2000


def file_of(routes: int, *, name: str = "shop", services: int = 1, names: str = "shop-0") -> SourceText:
    """A file; ``names`` is the service of each route, in which ``{}`` is the number of the route."""
    lines = ["services:", *(f"  {name}-{number}: {{urls: ['http://o:1']}}" for number in range(services)), "routes:"]
    for number in range(routes):
        path = f"/{name}/{number}/items/{{id}}"
        lines.append(f'- {{path: "{path}", methods: [GET], service: {names.format(number)}, access: signed-in}}')
    return SourceText(f"{name}.yaml", "\n".join(lines))


def load(*files: SourceText) -> Routes:
    return build_routes(files, can_sign=False)


def problems_of(*files: SourceText) -> list[str]:
    with pytest.raises(RoutesRefused) as refused:
        load(*files)
    return list(map(str, refused.value.problems))


def seconds_of(act: Callable[[], object]) -> float:
    """Measure the processor time of an act."""
    found = []
    for _ in range(TRIES):
        begun_at = time.process_time()
        act()
        found.append(time.process_time() - begun_at)
    return min(found)


def test_several_files_hold_thousands_of_routes_and_each_is_found() -> None:
    names = ("shop", "stock")
    routes = load(*(file_of(MANY, name=name, names=f"{name}-0") for name in names))
    for name in names:
        for number in range(MANY):
            path = f"/{name}/{number}/items/7"
            (rule, _) = routes.table.find_rules(Target(path, path)).values()
            assert (rule.path, rule.service) == (f"/{name}/{number}/items/{{id}}", f"{name}-0")
    assert {rule.access for rule in routes.table.foreign_rules} == {Access.SIGNED_IN}


def test_loading_grows_as_the_number_of_routes_does() -> None:
    few, many = (seconds_of(lambda count=count: load(file_of(count))) for count in (FEW, MANY))
    assert many / few < 3 * MANY / FEW  # With every pair compared, it would be ten times that ratio.


def test_finding_a_route_does_not_grow() -> None:
    def find(count: int) -> float:
        table, path = load(file_of(count)).table, f"/shop/{count // 2}/items/7"
        target = Target(path, path)
        return seconds_of(lambda: [table.find_rules(target) for _ in range(FINDS)])

    assert find(MANY) / find(FEW) < 4  # One after the other, it would be ten.


def test_a_file_of_wrong_names_is_refused_as_fast_as_one_of_right_names_is_loaded() -> None:
    right, wrong = (file_of(MANY, services=200, names=names) for names in ("shop-0", "shp-{}"))
    found: list[list[str]] = []
    assert seconds_of(lambda: found.append(problems_of(wrong))) / seconds_of(lambda: load(right)) < 4
    problems = found[0]
    assert len(problems) == MANY
    assert problems[0] == "shop.yaml:203: routes[0].service: names no service, did you mean shop-0?"
    assert problems[-1] == "shop.yaml:1202: routes[999].service: names no service"


def test_what_is_beyond_the_bounds_is_refused() -> None:
    assert problems_of(file_of(MOST + 1)) == [
        "shop.yaml:3: routes: List should have at most 2000 items after validation, not 2001"
    ]
    assert problems_of(file_of(1, services=201)) == [
        "shop.yaml:1: services: Dictionary should have at most 200 items after validation, not more"
    ]
    text = file_of(1).text + "\n#" + "x" * MOST_CHARACTERS
    assert problems_of(SourceText("shop.yaml", text)) == [f"shop.yaml:1: is longer than {MOST_CHARACTERS} characters"]
