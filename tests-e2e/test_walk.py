"""The files that one request runs through stay as few as CONTRIBUTING.md says, with a tenth of room."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_ROW = re.compile(r"^\| ([^|]+) \| (\d+) \| (\d+) \|$", re.MULTILINE)
_ROOM = 1.1


@pytest.fixture(scope="module")
def walked() -> dict[str, list[int]]:
    """The numbers of Python and Lua files, by flow, as `make walk` counts them."""
    command = [sys.executable, "tests-e2e/walk.py", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts: dict[str, list[int]] = json.loads(done.stdout)
    return counts


def test_a_request_runs_through_no_more_files_than_is_written_down(walked: dict[str, list[int]]) -> None:
    rows = _ROW.findall((ROOT / "CONTRIBUTING.md").read_text())
    written = {flow: [int(python), int(lua)] for flow, python, lua in rows}
    assert written.keys() == walked.keys()
    too_many = {
        flow: {"walked": walked[flow], "written": most}
        for flow, most in written.items()
        if any(count > number * _ROOM for count, number in zip(walked[flow], most, strict=True))
    }
    assert too_many == {}
