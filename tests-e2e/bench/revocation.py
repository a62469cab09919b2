"""How long a gateway still takes the token of a session that ended (T33), over many sessions."""

from collections.abc import Iterator

from bench.effort import Effort, Tell
from bench.table import Row, compare
from stage.accounts import running_accounts
from stage.client import Client
from stage.revocation import BOUND_SECONDS, slowest_refusals


def measure(effort: Effort, tell: Tell) -> Iterator[Row]:
    """End sessions at two gateways in turns, and give the slowest refusal of each way to end one."""
    tell("starting user-service and two gateways")
    with running_accounts(gateways=2) as system, Client() as client:
        slowest = slowest_refusals(system, client, trials=effort.trials, tell=tell)
    bound = 1000 * BOUND_SECONDS
    for ending, seconds in slowest.items():
        what = f"slowest 401 after DELETE {ending.removeprefix('/api/v1/')}"
        yield compare(what, 1000 * seconds, bound, unit="ms", against="the promise", at_most=1)
