"""The routes files of the embedded run: checked before the start, and handed to the gateway when one is saved."""

import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from gateway.routing.route_files import RoutesRefused, build_routes, read_texts

_POLL_SECONDS = 0.5
_EMPTY = """\
# Services of your own behind the gateway: docs/your-services.md. `make run` takes this file whenever you save it.
services: {}
routes: []
"""


def make_routes_file(path: Path) -> str:
    """Make a file without routes if there is none, and return its path."""
    if not path.exists():
        path.write_text(_EMPTY)
    return str(path)


def routes_files(env: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the files that `GATEWAY_ROUTES_FILE` names."""
    return tuple(Path(name.strip()) for name in env["GATEWAY_ROUTES_FILE"].split(",") if name.strip())


def check_routes(paths: Iterable[Path]) -> str:
    """Return in a sentence what the files hold.

    Raises:
        RoutesRefused: a file is wrong.
    """
    routes = build_routes(read_texts(paths), can_sign=True)
    count = len({rule.path for rule in routes.table.foreign_rules})
    return f"{len(routes.services)} services and {count} paths of yours are right."


def require_right_routes(paths: Iterable[Path]) -> None:
    """Check the files before a start, which a gateway with wrong ones refuses.

    Raises:
        SystemExit: a file is wrong; the message names every problem with its line.
    """
    try:
        check_routes(paths)
    except RoutesRefused as refused:
        sys.exit(f"Routes are wrong:\n{refused}")


def watch_routes(paths: tuple[Path, ...], pid_file: Path) -> None:
    """Look at the files for ever, and when right ones were saved, let the gateway reload.

    ``pid_file`` holds the number of the gateway's process.
    """
    seen = _stamps(paths)
    print(f"  Your routes:      {', '.join(map(str, paths))}, taken when you save\n", flush=True)
    while True:
        time.sleep(_POLL_SECONDS)
        stamps = _stamps(paths)
        if stamps == seen:
            continue
        seen = stamps
        try:
            print(f"Routes saved: {check_routes(paths)} The gateway takes them within seconds.", flush=True)
        except RoutesRefused as refused:
            print(f"Routes saved, but those of before stay in force:\n{refused}", flush=True)
        else:
            os.kill(int(pid_file.read_text()), signal.SIGHUP)


def _stamps(paths: tuple[Path, ...]) -> list[tuple[int, int, int]]:
    """Return what changes when a file is saved; an editor may replace the file, which is away for a moment then."""
    stamps = []
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            stamps.append((0, 0, 0))
        else:
            stamps.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return stamps
