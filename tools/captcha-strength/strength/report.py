"""The table of the measurement."""

from strength.measuring import Rate

_HEAD = (
    "| pictures | solver | untouched: read %, 95 % interval | letters right "
    "| best way | read %, 95 % interval | letters right |\n"
    "| --- | --- | --- | --- | --- | --- | --- |\n"
)

_BOUND = 0.05  # T16: what may be read of our pictures, exactly and untouched, by any solver.


def verdict(rates: dict[str, list[Rate]]) -> str:
    """Say which solvers read more of our pictures than is agreed, each as its package has it."""
    over = [solver for solver, ways in rates.items() if len(ways) > 1 and ways[0].share > _BOUND]
    found = f"more is read by {', '.join(over)}" if over else "no solver reads more"
    return f"T16, at most {_BOUND:.0%} of ours read untouched: {found}.\n"


def table(measured: dict[str, dict[str, list[Rate]]]) -> str:
    """Format what ``solve_rates`` gave for each generator as Markdown."""
    rows = [_row(generator, solver, ways) for generator, rates in measured.items() for solver, ways in rates.items()]
    return _HEAD + "".join(rows)


def _row(generator: str, solver: str, ways: list[Rate]) -> str:
    raw, best = ways[0], max(ways, key=lambda rate: (rate.solved, rate.characters))
    if len(ways) == 1:
        return f"| {generator} | {solver} | | | {best.way} | {_read(best)} | |\n"
    cells = (generator, solver, _read(raw), f"{raw.characters:.0%}", best.way, _read(best), f"{best.characters:.0%}")
    return f"| {' | '.join(cells)} |\n"


def _read(rate: Rate) -> str:
    least, most = rate.interval
    return f"{100 * rate.share:.1f} ({100 * least:.1f} to {100 * most:.1f})"
