"""Measures how well solvers read the captchas: ``make captcha-strength``."""

import argparse
import secrets
import shutil
import sys
import time
from pathlib import Path

from strength.generators import DEFAULT, GENERATORS, alphabet_of, pictures
from strength.measuring import Rate, solve_rates
from strength.report import table, verdict
from strength.sheets import write_sheet
from strength.solvers import SOLVERS


def main() -> None:
    """Draw, let every solver read, and write the report and the contact sheets."""
    options = _options()
    if "tesseract" in options.solver and shutil.which("tesseract") is None:
        sys.exit("tesseract is missing: apt-get install tesseract-ocr, or leave it out with --solver.")
    print(f"{options.count} pictures of each generator, --seed {options.seed}")
    measured, found = {}, ""
    for generator in options.only:
        drawn = pictures(generator, options.count, seed=options.seed)
        write_sheet(drawn, options.output / f"{generator.replace(', ', '-')}.png")
        measured[generator] = _measure(generator, drawn, options.solver)
        # Written each time, so that a run that is stopped leaves what it has.
        found = table(measured) + (f"\n{verdict(measured['ours'])}" if "ours" in measured else "")
        report = f"{options.count} pictures each, --seed {options.seed}.\n\n{found}"
        (options.output / "report.md").write_text(f"# How well solvers read the captchas\n\n{report}")
    print(f"\n{found}\nWritten to {options.output}/, with contact sheets to read yourself.")


def _measure(generator: str, drawn: list[tuple[bytes, str]], solvers: list[str]) -> dict[str, list[Rate]]:
    started = time.monotonic()

    def progress(share: float) -> None:
        print(f"\r{generator}: {share:4.0%} after {time.monotonic() - started:.0f} s", end="", flush=True)

    rates = solve_rates(drawn, alphabet=alphabet_of(generator), solvers=solvers, progress=progress)
    print()
    return rates


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m strength", description=__doc__)
    parser.add_argument("--count", type=_positive, default=500, help="pictures of each generator (500)")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="repeat a run; chance by default")
    parser.add_argument("--only", action="append", choices=GENERATORS, help="a generator; may be repeated")
    parser.add_argument("--solver", action="append", choices=SOLVERS, help="a solver; may be repeated")
    parser.add_argument("--output", type=Path, default=Path("build/captcha-strength"), help="folder of the results")
    options = parser.parse_args()
    options.only = options.only or list(DEFAULT)
    options.solver = options.solver or list(SOLVERS)
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    main()
