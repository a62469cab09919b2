"""What a run says while it works: one line that is rewritten on a terminal, a line now and then in a file."""

import shutil
import time
from collections.abc import Callable
from typing import TextIO

_TERMINAL_SECONDS, _FILE_SECONDS = 0.2, 20.0


class Progress:
    """Says the time so far, the time in all, and what is being measured."""

    def __init__(self, out: TextIO, *, about_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._every_seconds = _TERMINAL_SECONDS if self._is_terminal else _FILE_SECONDS
        self._about = _minutes(about_seconds)
        self._clock = clock
        self._begun_at = clock()
        self._said_at = self._begun_at

    def tell(self, text: str) -> None:
        """Say it, unless the last word is too new."""
        if self._clock() - self._said_at >= self._every_seconds:
            self._say(text, end="" if self._is_terminal else "\n")

    def tell_now(self, text: str) -> None:
        """Say it in a line that stays."""
        self._say(text, end="\n")

    def _say(self, text: str, *, end: str) -> None:
        self._said_at = self._clock()
        line = f"[{_minutes(self._said_at - self._begun_at)} of about {self._about}] {text}"
        if self._is_terminal:
            line = "\r\x1b[K" + line[: shutil.get_terminal_size().columns - 1]
        self._out.write(line + end)
        self._out.flush()


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
