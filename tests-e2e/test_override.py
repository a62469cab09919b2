"""A service beside the compose stack by an override file, as `docs/your-services.md` says."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from stage.pages import ROOT, Shell, make_folder, prints, read_blocks

pytestmark = [pytest.mark.compose, pytest.mark.timeout(300)]
PAGE = "your-services.md"
WAIT_SECONDS = 120
# Commands of the page run without a terminal, and must not read what is typed next. What a kill reports of its progress
# differs by the version of Compose.
NO_TERMINAL = """docker() {
  if [ "$1 $2" = "compose exec" ]; then set -- compose exec -T "${@:3}"; fi
  if [ "$1 $2" = "compose kill" ]; then exec 3>/dev/null; else exec 3>&2; fi
  command docker "$@" </dev/null 2>&3
}"""


def wait_until_ready(url: str) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            if requests.get(f"{url}/readyz", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        assert time.monotonic() < end, "the gateway is not ready with the routes of the page"
        time.sleep(0.2)


@pytest.fixture
def shell(stack: Any, tmp_path: Path, new_mobile: Callable[[], str]) -> Iterator[Shell]:
    """The shell of a reader who has saved the page's files and started the stack with them."""
    files = {block.name: block.text for block in read_blocks(PAGE) if block.name}
    name, _, value = files[".env"].strip().partition("=")
    routes = ROOT / "deploy/routes" / Path(value).name
    assert f"deploy/routes/{routes.name}" in files
    (tmp_path / "hello.py").write_text(files["hello.py"])
    override = tmp_path / "docker-compose.override.yml"
    override.write_text(files[override.name].replace("./hello.py", str(tmp_path / "hello.py")))
    chosen = {name: value, "COMPOSE_FILE": f"{ROOT}/docker-compose.yml{os.pathsep}{override}"}
    (tmp_path / "data").mkdir()
    folder = make_folder(tmp_path / "xinjing", tmp_path / "data")
    port = {"PORT": stack.url.rpartition(":")[2], "MOBILE": new_mobile(), "COMPOSE_PROGRESS": "quiet"}
    shell = Shell(folder, os.environ | chosen | port)
    try:
        routes.write_text(files[f"deploy/routes/{routes.name}"])
        stack.compose("up", "--detach", "--no-deps", "gateway", "hello", variables=chosen)
        wait_until_ready(stack.url)
        shell.run(NO_TERMINAL)
        yield shell
    finally:
        shell.close()
        stack.compose("rm", "--stop", "--force", "hello", variables=chosen)
        routes.unlink()
        stack.make_whole()


def test_the_only_command_that_is_not_typed_here_starts_the_stack() -> None:
    # It runs already; with `--build` it would be made anew, so the test starts what the files of the page change.
    blocks = [block for block in read_blocks(PAGE) if block.name == "compose" and block.language == "sh"]
    assert [block.text.strip() for block in blocks] == ["docker compose up --build --wait"]


def test_every_command_of_the_compose_chapter_prints_what_the_page_says(shell: Shell, stack: Any) -> None:
    [block] = [block for block in read_blocks(PAGE) if block.name == "compose" and block.language == "console"]
    port = stack.url.rpartition(":")[2]
    typed = [
        (command, text, shell.run(command.replace("localhost:8000", f"localhost:{port}")))
        for command, text in block.commands()
    ]
    assert [step for step in typed if not prints(step[1], step[2])] == []
    assert len(typed) == 4
