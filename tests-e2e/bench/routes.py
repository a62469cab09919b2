"""What routes of an operator cost: many of them, the identity token of a call, and a reload of their file.

Two gateways run side by side, one with a few foreign routes and one with a hundred more.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.accounts import signed_token
from bench.contenders import Contender, Scene, compare_costs, run_rounds, scene
from bench.effort import Effort, NotMeasured, Tell
from bench.table import Row, compare
from gateway.auth.identity_tokens import new_key_pem
from stage.accounts import Process
from stage.foreign_routes import more_routes, routes_file
from stage.load import Load, Operation
from stage.proxies import ProgramMissing

_ME = "/api/v1/users/me"
_TOKEN, _NONE = "/api/orders/7", "/api/plain/7"
_FEW = [("/api/orders/{order}", "token"), ("/api/plain/{order}", "none")]
_MORE = 100
_PER_SECOND = 200


def measure(effort: Effort, tell: Tell) -> Iterator[Row]:
    """Measure all three."""
    with ExitStack() as ends:
        tell("starting nginx and two gateways")
        try:
            place = ends.enter_context(scene())
        except ProgramMissing as error:
            raise NotMeasured(str(error)) from error
        few, many = _start(ends, place)
        # Side by side stand those that are compared.
        contenders = [few[_ME], many[_ME], many[_NONE], few[_NONE], few[_TOKEN]]
        run_rounds(contenders, effort, lambda text: tell(f"reads with few and many routes, {text}"), rounds=6)
        for path in (_ME, _NONE):
            yield compare_costs(many[path], few[path], at_most=1.03)
        yield compare_costs(few[_TOKEN], few[_NONE], at_most=1.1)
        yield _reload(place, effort, tell)


def _start(ends: ExitStack, place: Scene) -> list[dict[str, Contender]]:
    bearer = {"Authorization": f"Bearer {signed_token(place.key, 1)}"}
    found = []
    for name, more in (("few", 0), ("many", _MORE)):
        variables = _variables(_write_routes(place, name, more))
        started = ends.enter_context(place.run(f"gateway-{name}", **variables))
        added = f", {more} foreign routes more" if more else ""
        names = {
            _ME: f"a signed-in read of ours{added}",
            _NONE: f"a call without an identity{added}",
            _TOKEN: f"a call with an identity token{added}",
        }
        found.append({path: Contender(what, *started, path, bearer) for path, what in names.items()})
    return found


def _write_routes(place: Scene, name: str, more: int) -> Path:
    """Write a file with a few routes, and more."""
    file = place.folder / f"{name}.yaml"
    url = f"http://127.0.0.1:{place.service_port}"
    file.write_text(routes_file(url, [*_FEW, *more_routes(more)], identities=("token", "none")))
    return file


def _variables(file: Path) -> dict[str, str]:
    """Name the variables of a gateway that reads a file."""
    return {"GATEWAY_ROUTES_FILE": str(file), "GATEWAY_IDENTITY_KEYS": new_key_pem()}


def _reload(place: Scene, effort: Effort, tell: Tell) -> Row:
    """Change the file and reload a gateway of two workers under load; count what failed."""
    env = place.env | _variables(_write_routes(place, "reloaded", 0))
    gateway = Process("gateway", env, place.folder, workers=2, threads=256)
    token = signed_token(place.key, 1)
    operations = [Operation("GET", path, 200, token) for path in (_ME, _TOKEN, _NONE)]
    try:
        begun_at = time.monotonic()
        with Load(gateway.port, operations, _PER_SECOND) as load:
            load.wait_for(_PER_SECOND)
            for number in range(effort.rounds):
                tell(f"reload {number + 1} of {effort.rounds} under {_PER_SECOND} requests a second")
                _write_routes(place, "reloaded", _MORE * (1 - number % 2))
                gateway.reload()
            load.wait_for(_PER_SECOND)
    finally:
        gateway.stop()
    reached = load.answered / (time.monotonic() - begun_at)  # A busy machine sends fewer than are wished for.
    what = f"requests at {effort.rounds} reloads of the file, {reached:.0f} a second"
    return compare(what, len(load.failures), load.answered, unit="failed", against="of all", at_most=0)
