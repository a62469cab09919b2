"""The benchmark as a command: its modules, what it says while it works, its table and its exit status."""

import importlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.__main__ import Part, main
from bench.effort import Effort, NotMeasured, Tell
from bench.progress import Progress
from bench.table import Measured, Row, compare, table

FOLDER = Path(__file__).parents[1]
MODULES = [
    f"{path.parent.name}.{path.stem}" for each in ("bench", "stage") for path in (FOLDER / each).glob("[!t_]*.py")
]


class Clock:
    """Stands still until a test turns it on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """Looks like a terminal."""

    def isatty(self) -> bool:
        return True


def missing(effort: Effort, tell: Tell) -> Iterator[Row]:
    yield compare("logins", 30, 100, unit="a second", against="bare argon2", at_least=0.75)


def failing(effort: Effort, tell: Tell) -> Iterator[Row]:
    yield compare("CPU", 1, 1, unit="ms", against="nothing", at_most=1.25)
    raise RuntimeError("the queue ran empty\nand more")


def absent(effort: Effort, tell: Tell) -> Iterator[Row]:
    raise NotMeasured("Docker is not here")
    yield


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_module_of_the_benchmark_and_its_stage_can_be_imported(name: str) -> None:
    importlib.import_module(name)


def test_a_missed_goal_is_said_and_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick"], parts={"accounts": Part(missing, 10, 1)}) == 0
    assert "≥ 0.75  missed" in capsys.readouterr().out


def test_a_part_that_fails_is_shown_and_the_others_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    parts = {"sms": Part(failing, 10, 1), "queue": Part(absent, 10, 1), "accounts": Part(missing, 10, 1)}
    assert main([], parts=parts) == 1
    shown = capsys.readouterr()
    assert "sms, 0 s: FAILED: RuntimeError: the queue ran empty\n" in shown.out
    assert "  CPU " in shown.out
    assert "queue, 0 s: not measured: Docker is not here\n" in shown.out
    assert "  logins " in shown.out
    assert shown.out.endswith("Goals met: 1, missed: 1. Parts that failed: sms.\n")
    assert "parts: sms, queue, accounts" in shown.err
    assert "of about 0:30" in shown.err


def test_only_the_named_parts_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["accounts"], parts={"sms": Part(failing, 10, 1), "accounts": Part(missing, 10, 1)}) == 0
    assert "sms" not in capsys.readouterr().out


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["speed"])
    assert "no such part: speed" in capsys.readouterr().err


def test_a_table_is_aligned() -> None:
    rows = [
        compare("pictures", 19_251, 407, unit="a second", against="the package", at_least=20),
        compare("a sound", 2.48, 0.0889, unit="ms", against="a picture"),
        compare("memory", 300, 256, unit="MB", against="there are", at_most=1),
    ]
    assert table([Measured("captchas", rows, seconds=5.2)]) == [
        "what                   ours  yardstick                  ratio  goal  met or missed",
        "captchas, 5 s",
        "  pictures  19,251 a second  the package: 407 a second   47.3  ≥ 20  met",
        "  a sound           2.48 ms  a picture: 0.0889 ms        27.9",
        "  memory             300 MB  there are: 256 MB           1.17  ≤ 1   missed",
    ]


def test_in_a_file_progress_is_a_line_now_and_then() -> None:
    out, clock = io.StringIO(), Clock()
    progress = Progress(out, about_seconds=960, clock=clock)
    for second in range(60):
        clock.now = float(second)
        progress.tell(f"trial {second}")
    progress.tell_now("accounts")
    assert out.getvalue().splitlines() == [
        "[0:20 of about 16:00] trial 20",
        "[0:40 of about 16:00] trial 40",
        "[0:59 of about 16:00] accounts",
    ]


def test_on_a_terminal_progress_rewrites_its_line() -> None:
    out, clock = Terminal(), Clock()
    progress = Progress(out, about_seconds=60, clock=clock)
    clock.now = 1.0
    progress.tell("trial 1")
    progress.tell("trial 2")
    assert out.getvalue() == "\r\x1b[K[0:01 of about 1:00] trial 1"
