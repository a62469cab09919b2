"""Pages of `docs/` as a reader follows them: files to save, commands to type, and what comes back.

A fence ``python hello.py`` is a file, ``sh service`` a command that goes on, ``console`` commands with what they print.
In what is printed, ``…`` stands for any text.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_END = "end of what the command prints"
# What the reader has beside the page: this repository with its environment, which no command here may make anew.
_NO_NEW_ENVIRONMENT = 'make() { command make -o .venv/.runtime "$@"; }'


@dataclass(frozen=True)
class Block:
    """One fenced block: the language, the word after it, and what stands inside."""

    language: str
    name: str
    text: str

    @property
    def lines(self) -> list[str]:
        """The lines that are not empty."""
        return [line for line in self.text.splitlines() if line.strip()]

    def commands(self) -> Iterator[tuple[str, str]]:
        """Return the commands of a console with what each prints."""
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            yield command, printed


def read_blocks(page: str) -> list[Block]:
    """Read the fenced blocks of a page of `docs/`, in order."""
    return [Block(*match.groups(default="")) for match in _FENCE.finditer((ROOT / "docs" / page).read_text())]


def read_tables(page: str, heading: str) -> list[list[list[str]]]:
    """Read the tables below a heading of a page of `docs/`: rows of cells, without the row of titles."""
    chapter = (ROOT / "docs" / page).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n)+", chapter, re.MULTILINE)
    return [[re.split(r" \| ", row.strip("| ")) for row in table.splitlines()[2:]] for table in tables]


def prints(expected: str, printed: str) -> bool:
    """Whether a command printed what a page says."""
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("…"))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def make_folder(folder: Path, data: Path) -> Path:
    """Make a folder that looks like this repository, with the data of a run that goes on, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in ROOT.iterdir():
        if entry.name[0] != "." and entry.name != "deploy":
            (folder / entry.name).symlink_to(entry)
    for entry in (ROOT / "deploy").iterdir():
        if entry.name != "routes":
            (folder / "deploy").mkdir(exist_ok=True)
            (folder / "deploy" / entry.name).symlink_to(entry)
    (folder / "deploy/routes").mkdir()
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / ".run").symlink_to(data)
    return folder


class Shell:
    """A shell that stays, as a reader's: variables of one command are there for the next."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash"], cwd=folder, env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.run(_NO_NEW_ENVIRONMENT)

    def run(self, command: str) -> str:
        """Run a command and return what it prints."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{command}\necho; echo '{_END}'\n")
        self._process.stdin.flush()
        lines: list[str] = []
        while (line := self._process.stdout.readline()) and line.strip() != _END:
            lines.append(line)
        return "".join(lines)

    def close(self) -> None:
        """End the shell."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)
