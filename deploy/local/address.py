"""Waits until every part is ready, prints the address, and stays: the process manager ends all when one ends.

While it stays, it looks after the operator's routes files.
"""

import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from local.routes import routes_files, watch_routes

_PATIENCE_SECONDS = 90


def main() -> None:
    """Poll ``/readyz`` of each service, then print where to look.

    Raises:
        SystemExit: something is not ready after 90 seconds; the message names it.
    """
    waiting = {name: f"http://127.0.0.1:{os.environ[name]}/readyz" for name in _ports()}
    end = time.monotonic() + _PATIENCE_SECONDS
    while waiting:
        waiting = {name: url for name, url in waiting.items() if not _is_ready(url)}
        if time.monotonic() > end:
            sys.exit(f"Not ready after {_PATIENCE_SECONDS} s: {', '.join(waiting)}")
        time.sleep(0.2)
    print(banner(f"http://127.0.0.1:{os.environ['PORT']}"))
    watch_routes(routes_files(os.environ), Path(os.environ["PID_FILE"]))


def banner(address: str) -> str:
    """Write where to look; the inbox is named if there is one, which the provider decides."""
    lines = ["", f"  Xinjing is ready: {address}"]
    if _is_ready(f"{address}/inbox/messages"):
        lines.append(f"  SMS inbox:        {address}/inbox")
    return "\n".join([*lines, f"  API docs:         {address}/docs"])


def _ports() -> tuple[str, ...]:
    return ("CAPTCHA_PORT", "SMS_PORT", "USER_PORT", "NEWS_PORT", "PORT")


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    main()
