"""What a worker writes to stderr, in batches of whole lines."""

import atexit
import contextlib
import os
import select
import threading
from typing import Any, TextIO  # Any: whatever else stderr has.

from gunicorn.glogging import Logger as GunicornLogger  # type: ignore[import-untyped]  # gunicorn has no types.

SECONDS = 0.5


class Logger(GunicornLogger):  # type: ignore[misc]
    """gunicorn's logger without an access log, whose line gunicorn else builds for each request, to throw it away."""

    access_log_enabled = False


class LineBatch:
    """A stderr that gathers what is written until it is flushed, half a second is over, or it holds PIPE_BUF bytes.

    Each write to the system holds whole lines in their order and at most PIPE_BUF bytes (4096 on Linux), so the
    processes that share a pipe never tear each other's lines apart (POSIX, write; a longer line is alone, and may be
    torn). Files that are opened to append have that anyway. A full disk or a closed pipe loses lines and fails nothing.
    A forked child begins with an empty batch: its parent writes what stands in the batch.
    """

    def __init__(self, stderr: TextIO) -> None:
        self._stderr = stderr
        self._begin()
        os.register_at_fork(after_in_child=self._begin)
        atexit.register(self.end)

    def _begin(self) -> None:
        self._lock = threading.RLock()  # A signal may come while its thread writes.
        self._lines: list[str] = []
        self._size_bytes = 0
        self._is_filled, self._is_ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._flush_in_time, name="log lines", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Add one or more whole lines. (Only Python's own tracebacks come in pieces.)"""
        size_bytes = len(text.encode(errors="backslashreplace"))
        with self._lock:
            if self._size_bytes + size_bytes > select.PIPE_BUF:
                self.flush()
            self._lines.append(text)
            self._size_bytes += size_bytes
        if not self._is_filled.is_set():
            self._is_filled.set()
        return len(text)

    def flush(self) -> None:
        """Write what was added."""
        with self._lock, contextlib.suppress(OSError, ValueError):  # ValueError: it was closed.
            text, self._lines, self._size_bytes = "".join(self._lines), [], 0
            if text:
                self._stderr.write(text)
                self._stderr.flush()

    def end(self) -> None:
        """Stop the thread, so that none writes while the interpreter ends, and write what is left."""
        self._is_ending.set()
        self._is_filled.set()
        self._thread.join(SECONDS)
        self.flush()

    def _flush_in_time(self) -> None:
        while self._is_filled.wait() and not self._is_ending.wait(SECONDS):
            self._is_filled.clear()  # A line that is added from here on sets it again.
            self.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stderr, name)
