"""Keeps the routes in force when a reload finds wrong files.

gunicorn ends when a new worker cannot start, so a worker must not fail over files that an operator has just changed.
The first worker of a start or reload reads them, under a lock, and writes what is in force into a folder of this
gunicorn. All workers of that reload take it from there, also one that is started again later. Right files replace what
was in force. If they are wrong, what was in force stays so, and the log, a metric and `/readyz` say it. At the very
first start nothing was in force, so the gateway does not start.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from structlog import get_logger

from gateway.metrics import ROUTES_REFUSED
from gateway.routing.route_files import Routes, RoutesRefused, SourceText, read_texts

log = get_logger(__name__)
_FILE = "routes.json"


@dataclass(frozen=True)
class RoutesInForce:
    """The routes, and the problems of newer files that are therefore not in force."""

    routes: Routes
    problems: tuple[str, ...] = ()

    def remarks(self) -> dict[str, str]:
        """Say in `/readyz` that newer files were refused; what is wrong stands in the log alone."""
        if not self.problems:
            return {}
        return {"routes": f"The files have {len(self.problems)} problems (event routes_refused): those of before hold."}


@dataclass(frozen=True)
class _Decision:
    """What the first worker of a reload decided, for the others."""

    reload: int
    texts: tuple[SourceText, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class RoutesLoader:
    """Loads the operator's files. ``folder`` None: nothing is shared, and wrong files are always refused."""

    paths: tuple[Path, ...]
    build: Callable[[Iterable[SourceText]], Routes]
    folder: Path | None
    reload: int

    def load(self) -> RoutesInForce:
        """Return the routes that are in force for this worker.

        Raises:
            RoutesRefused: the files are wrong, and none were in force before.
        """
        if self.folder is None:
            return RoutesInForce(self.build(read_texts(self.paths)))
        with _locked(self.folder):
            before = _read_decision(self.folder)
            in_force = self._decide(self.folder, before)
        ROUTES_REFUSED.set(bool(in_force.problems))
        return in_force

    def _decide(self, folder: Path, before: _Decision | None) -> RoutesInForce:
        if before is not None and before.reload == self.reload:
            return RoutesInForce(self.build(before.texts), before.problems)
        try:
            texts = tuple(read_texts(self.paths))
            in_force = RoutesInForce(self.build(texts))
        except RoutesRefused as refused:
            if before is None:
                raise
            texts, problems = before.texts, tuple(map(str, refused.problems))
            in_force = RoutesInForce(self.build(texts), problems)
            log.error("routes_refused", problems=problems)  # noqa: TRY400 - the problems are the whole story.
        _write_decision(folder, _Decision(self.reload, texts, in_force.problems))
        return in_force


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read_decision(folder: Path) -> _Decision | None:
    path = folder / _FILE
    if not path.exists():
        return None
    value = json.loads(path.read_text())
    texts = tuple(SourceText(each["name"], each["text"]) for each in value["texts"])
    return _Decision(value["reload"], texts, tuple(value["problems"]))


def _write_decision(folder: Path, decision: _Decision) -> None:
    draft = folder / f".{_FILE}"
    draft.write_text(json.dumps(asdict(decision)))
    draft.replace(folder / _FILE)
