"""Routes files of an operator, with as many routes as a test or a measurement wants."""

from collections.abc import Iterable

_SERVICE = '  {name}: {{urls: ["{url}"], identity: {identity}}}'
_ROUTE = '  - {{path: "{path}", methods: [GET], service: {service}, access: signed-in}}'


def routes_file(url: str, routes: Iterable[tuple[str, str]], *, identities: Iterable[str] = ("none",)) -> str:
    """Write a file with a service per form of identity, named after it, all at one address.

    A route is a path and the form of identity that its service gets.
    """
    services = [_SERVICE.format(name=identity, url=url, identity=identity) for identity in identities]
    lines = [_ROUTE.format(path=path, service=identity) for path, identity in routes]
    return "\n".join(["services:", *services, "routes:", *lines, ""])


def more_routes(count: int) -> list[tuple[str, str]]:
    """Name routes with placeholders that nobody calls."""
    return [(f"/api/shop-{number}/{{order}}/lines/{{line}}", "none") for number in range(count)]
