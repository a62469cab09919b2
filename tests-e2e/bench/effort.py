"""How long each measurement goes on: long for figures to quote, quick to see that every part still works."""

from collections.abc import Callable
from dataclasses import dataclass

Tell = Callable[[str], None]  # Says what is being measured now.


class NotMeasured(Exception):
    """A server that a part needs is not here; the text says which."""


@dataclass(frozen=True)
class Effort:
    """The numbers that a part measures by."""

    rounds: int
    round_seconds: float
    call_seconds: float  # For one function of this process, called over and over.
    flood_requests: int
    accepting_rounds: int
    accepting_seconds: float
    worker_threads: int
    login_rounds: int
    login_seconds: float
    warm_up_pairs: int
    pairs: int  # Of logins with and without an account; even.
    trials: int  # Of an ended session.
    articles: tuple[int, int]  # Few and many.


LONG = Effort(
    rounds=3,
    round_seconds=4,
    call_seconds=1,
    flood_requests=100_000,
    accepting_rounds=5,
    accepting_seconds=3,
    worker_threads=16,
    login_rounds=8,
    login_seconds=2,
    warm_up_pairs=50,
    pairs=2000,
    trials=1000,
    articles=(10_000, 1_000_000),
)
QUICK = Effort(
    rounds=1,
    round_seconds=1,
    call_seconds=0.1,
    flood_requests=5_000,
    accepting_rounds=1,
    accepting_seconds=1,
    worker_threads=4,
    login_rounds=1,
    login_seconds=1,
    warm_up_pairs=2,
    pairs=40,
    trials=12,
    articles=(300, 1_000),
)
