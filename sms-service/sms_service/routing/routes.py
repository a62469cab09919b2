"""Which providers send to a country, and in which order a job asks them; decided without I/O."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

Shares = Mapping[str, int]
Routes = Mapping[str, Shares]
EVERYWHERE = "*"
_ROUTE = re.compile(r"(?P<country>[A-Z]{2}|\*)\s*=\s*(?P<shares>.+)")
_SHARE = re.compile(r"(?P<name>[a-z_]+)(?:\s*:\s*(?P<weight>[1-9][0-9]{0,3}))?")
_PACE = re.compile(r"(?P<name>[a-z_]+)\s*=\s*(?P<rate>[1-9][0-9]{0,4}):(?P<parallel>[1-9][0-9]{0,4})")
# An unhealthy provider keeps a little of its share; only by sending can the workers notice that it works again.
LEAST_HEALTH = 0.05


def parse_routes(text: str) -> Routes:
    """Read ``CN=yuntongxun:3,aliyun:1; *=twilio``: for a country (ISO 3166) or the rest, providers and their weights.

    A weight of 1 may be left out, and ``inbox`` alone means ``*=inbox``.

    Raises:
        ValueError: the text has another form, or names a country or a provider twice.
    """
    routes: dict[str, Shares] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        match = _ROUTE.fullmatch(part if "=" in part else f"{EVERYWHERE}={part}")
        if match is None or match["country"] in routes:
            raise ValueError(f"write routes as CN=yuntongxun:3,aliyun:1; *=twilio, each country once (not {part!r})")
        routes[match["country"]] = _parse_shares(match["shares"])
    if not routes:
        raise ValueError("there must be a route")
    return routes


def _parse_shares(text: str) -> Shares:
    shares: dict[str, int] = {}
    for part in text.split(","):
        match = _SHARE.fullmatch(part.strip())
        if match is None or match["name"] in shares:
            raise ValueError(f"write a route's providers as yuntongxun:3,aliyun:1, each once (not {text!r})")
        shares[match["name"]] = int(match["weight"] or 1)
    return shares


@dataclass(frozen=True)
class Pace:
    """How fast all workers together may send to a provider."""

    sends_per_second: int
    parallel_sends: int


def parse_paces(text: str) -> Mapping[str, Pace]:
    """Read ``twilio=10:16,aliyun=100:64``: for a provider, sends per second and parallel sends.

    Raises:
        ValueError: the text has another form.
    """
    matches = [(part, _PACE.fullmatch(part.strip())) for part in text.split(",") if part.strip()]
    if wrong := [part for part, match in matches if match is None]:
        raise ValueError(f"write paces as twilio=10:16,aliyun=100:64 (not {wrong[0]!r})")
    return {match["name"]: Pace(int(match["rate"]), int(match["parallel"])) for _, match in matches if match}


def shares_for(routes: Routes, country: str) -> Shares:
    """Return the providers that may send to a country; nothing if there is no route."""
    return routes.get(country) or routes.get(EVERYWHERE) or {}


def draw_order(shares: Shares, health: Mapping[str, float], random: Random) -> Sequence[str]:
    """Draw the order in which a job asks the providers, by weight times health; each provider comes once.

    ``health`` is between 0 and 1; a provider that it does not name counts as healthy.
    """
    scores = {name: weight * max(LEAST_HEALTH, health.get(name, 1.0)) for name, weight in shares.items()}
    order: list[str] = []
    while scores:
        name = random.choices(list(scores), list(scores.values()))[0]
        order.append(name)
        del scores[name]
    return order
