"""Ends sessions over and over, and measures how long both gateways still take their tokens (T33)."""

import time
from collections.abc import Callable

from stage.accounts import Accounts
from stage.client import ME, Client

BOUND_SECONDS = 5.0
_ENDINGS = ("/api/v1/sessions/current", "/api/v1/sessions?scope=all", "/api/v1/sessions?scope=others")
_MOBILE = "13700137000"


def slowest_refusals(
    system: Accounts, client: Client, *, trials: int, tell: Callable[[str], None] = lambda _: None
) -> dict[str, float]:
    """Return the slowest first 401 of any gateway, in seconds, by the way in which the session ended."""
    client.register(system.gateways[0], _MOBILE)
    slowest = dict.fromkeys(_ENDINGS, 0.0)
    for trial in range(trials):
        tell(f"trial {trial + 1:,} of {trials:,}")
        ending = _ENDINGS[trial % len(_ENDINGS)]
        slowest[ending] = max(slowest[ending], _seconds_until_all_refuse(system, client, ending, through=trial % 2))
    return slowest


def _seconds_until_all_refuse(system: Accounts, client: Client, ending: str, *, through: int) -> float:
    ended, acting = (client.log_in(system.gateways[0], _MOBILE).json()["access_token"] for _ in range(2))
    acting = ended if ending.endswith("current") else acting
    assert {client.ask(gateway, "GET", ME, token=ended).status_code for gateway in system.gateways} == {200}
    begun_at = time.monotonic()
    assert client.ask(system.gateways[through], "DELETE", ending, token=acting).status_code == 204
    return max(client.seconds_until_refused(gateway, ended, begun_at) for gateway in system.gateways)
