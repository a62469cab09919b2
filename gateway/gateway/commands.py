"""``flask --app gateway.app gateway …``: show and check the routes, show and make the keys of identity tokens.

(``flask routes`` is a command of Flask's own, which no app can replace.)
"""

from collections.abc import Iterator
from pathlib import Path

import click
import svcs
from flask.cli import AppGroup

from gateway.auth.identity_tokens import IdentityKeys, new_key_pem
from gateway.routing.paths import do_overlap, specificity
from gateway.routing.route_files import Routes, RoutesRefused, build_routes, read_texts
from gateway.routing.rules import OWN_PATHS, RouteLimit, Rule, RuleTable

_UNITS = {1: "second", 60: "minute", 3600: "hour"}


def gateway_commands() -> AppGroup:
    """Make the group ``gateway``."""
    group = AppGroup("gateway", help="Routes, and the keys of identity tokens.")
    group.add_command(_route_commands())
    group.add_command(_key_commands())
    return group


def _route_commands() -> AppGroup:
    group = AppGroup("routes", help="The routes in force, ours and yours.")

    @group.command("list")
    def list_command() -> None:
        """Show all routes: of those to which a request belongs, the upper one wins."""
        for line in describe_rules(svcs.flask.get(Routes).table):
            click.echo(line)

    @group.command()
    @click.argument("files", nargs=-1, type=click.Path(path_type=Path))
    def check(files: tuple[Path, ...]) -> None:
        """Check FILES as if GATEWAY_ROUTES_FILE named them; without FILES, those that it names."""
        routes = svcs.flask.get(Routes)
        if files:
            try:
                routes = build_routes(read_texts(files), can_sign=bool(svcs.flask.get(IdentityKeys).keys))
            except RoutesRefused as refused:
                click.echo(str(refused), err=True)
                raise click.ClickException(f"{len(refused.problems)} problems") from refused
        paths = dict.fromkeys(rule.path for rule in routes.table.foreign_rules)
        for line in describe_overlaps(routes.table):
            click.echo(line)
        click.echo(f"{len(routes.services)} services and {len(paths)} paths of yours are right.")

    return group


def _key_commands() -> AppGroup:
    group = AppGroup("keys", help="The keys that sign identity tokens, from GATEWAY_IDENTITY_KEYS.")

    @group.command("list")
    def list_command() -> None:
        """Show the keys by id; the first one signs."""
        for number, key in enumerate(svcs.flask.get(IdentityKeys).keys):
            click.echo(f"{key.kid}  {'is published' if number else 'signs'}")

    @group.command()
    def new() -> None:
        """Write a new private key, to be appended to the others."""
        click.echo(new_key_pem(), nl=False)

    return group


def describe_rules(table: RuleTable) -> Iterator[str]:
    """Return a line per path and access, in the order in which they win: methods, path, service, access, limit."""
    for rules in (table.rules, table.foreign_rules):
        together: dict[tuple[str, ...], list[str]] = {}
        for rule in sorted(rules, key=lambda each: (specificity(each.path), each.path)):
            row = (rule.path, rule.service, _access_of(rule), _limit_of(rule))
            together.setdefault(row, []).append(rule.method)
        for (path, *others), methods in together.items():
            yield f"{','.join(methods):24} {path:48} {'  '.join(others).rstrip()}"


def describe_overlaps(table: RuleTable) -> Iterator[str]:
    """Return a line per path of the operator that yields to others for some requests."""
    foreign = sorted({rule.path for rule in table.foreign_rules}, key=lambda path: (specificity(path), path))
    ours = {*OWN_PATHS, *(rule.path for rule in table.rules)}
    for number, path in enumerate(foreign):
        winners = [other for other in foreign[:number] if do_overlap(other, path)]
        if count := sum(do_overlap(own, path) for own in ours):
            winners.append(f"{count} paths of ours")
        if winners:
            yield f"{path} yields to {', '.join(winners)}"


def _access_of(rule: Rule) -> str:
    role = rule.role or rule.access.role
    recent = f" in the last {rule.recent_seconds} s" if rule.recent_seconds else ""
    return f"role {role}{recent}" if role else f"{rule.access}{recent}"


def _limit_of(rule: Rule) -> str:
    if isinstance(rule.limit, RouteLimit):
        per = "user" if rule.limit.per_user else "address"
        return f"{rule.limit.amount}/{_UNITS[rule.limit.window_seconds]} per {per}"
    return "" if rule.limit is None else f"{rule.limit} per address"
