"""The routes files of the embedded run."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.routes import make_routes_file, require_right_routes, routes_files
from local.settings import LocalSettings, environment

WAIT_SECONDS = 30
RIGHT = "services: {hello: {urls: ['http://h:1'], identity: token}}\n"
WRONG = "services: {hello: {url: ['http://h:1'], identity: token}}\n"
# A gateway that counts its reloads.
GATEWAY = """import signal, sys
signal.signal(signal.SIGHUP, lambda *_: print("reload", flush=True))
print("begun", flush=True)
while True: signal.pause()
"""
WATCH = """import sys; from pathlib import Path; from local.routes import watch_routes
watch_routes((Path(sys.argv[1]),), Path(sys.argv[2]))
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Callable[[str], str]]]:
    """Start a Python program; what comes back waits until it has printed a text, and returns all that it printed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(text: str, *arguments: str) -> Callable[[str], str]:
        log = tmp_path / f"{len(started)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen([sys.executable, "-c", text, *arguments], stdout=output, stderr=output)
        started.append(process)
        (tmp_path / f"{len(started)}.pid").write_text(str(process.pid))

        def wait_for(expected: str) -> str:
            end = time.monotonic() + WAIT_SECONDS
            while expected not in log.read_text():
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            return log.read_text()

        wait_for("begun" if text == GATEWAY else "taken when you save")
        return wait_for

    yield start
    for process in started:
        process.terminate()
        process.wait(10)


def save(file: Path, text: str) -> None:
    """Save a file as editors do: another one takes its place."""
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(file)


def test_right_routes_are_taken_when_they_are_saved_and_wrong_ones_are_not(
    start: Callable[..., Callable[[str], str]], tmp_path: Path
) -> None:
    file = Path(make_routes_file(tmp_path / "routes.yaml"))
    gateway = start(GATEWAY)
    watcher = start(WATCH, str(file), str(tmp_path / "1.pid"))
    save(file, WRONG)
    watcher(f"those of before stay in force:\n{file}:1: services.hello.url: is unknown, did you mean urls?\n")
    file.unlink()
    watcher(f"{file}:1: cannot be read: No such file or directory\n")
    assert "reload" not in gateway("")
    save(file, RIGHT)
    watcher("1 services and 0 paths of yours are right.")
    gateway("reload\n")


def test_a_start_with_wrong_routes_names_every_problem(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(WRONG)
    with pytest.raises(SystemExit, match=f"^Routes are wrong:\n{file}:1: services.hello.url: is unknown"):
        require_right_routes([file])
    file.write_text(RIGHT)
    require_right_routes([file])


def test_a_file_in_the_data_folder_is_made_once_and_other_names_win_over_it(tmp_path: Path) -> None:
    env = environment(LocalSettings(data_dir=tmp_path), "redis://r", {})
    file = tmp_path / "routes.yaml"
    assert routes_files(env) == (file,)
    require_right_routes([file])
    file.write_text(RIGHT)
    environment(LocalSettings(data_dir=tmp_path), "redis://r", {})
    assert file.read_text() == RIGHT
    named = environment(LocalSettings(data_dir=tmp_path), "redis://r", {"GATEWAY_ROUTES_FILE": "a.yaml, b.yaml"})
    assert routes_files(named) == (Path("a.yaml"), Path("b.yaml"))
