"""Tries an upgrade: ``make upgrade-trial FROM=REVISION`` starts that revision, then this tree, on one data directory.

Under the earlier revision somebody registers, and asks for a code that the stopped worker does not text. Then every
process is killed. Under this tree the same person must still be signed in, must log in by password, and must get the
text of the job that waited on the queue, with a code that works.
"""

import argparse
import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import psutil
import requests
from redis import Redis

from local.settings import free_ports

ROOT = Path(__file__).parents[1]
_START_SECONDS, _ANSWER_SECONDS = 90, 20
PASSWORD = secrets.token_urlsafe(16)


class Stack:
    """What `make run` starts from one tree, on a data directory that outlives it."""

    def __init__(self, tree: Path, data: Path) -> None:
        self.url = f"http://127.0.0.1:{free_ports(1)[0]}"
        self._data = data
        self._log = data.parent / f"{tree.name}.log"
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        env = {**os.environ, "PORT": self.url.rpartition(":")[2], "DATA_DIR": str(data)}
        env.pop("PYTHONPATH", None)
        with self._log.open("wb") as log:
            command = [str(tree / ".venv/bin/python"), "-m", "local.run"]
            self._process = subprocess.Popen(
                command, cwd=tree, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.wait_for(lambda: "Xinjing is ready" in self._log.read_text(), "is ready", seconds=_START_SECONDS)

    def call(self, method: str, path: str, *, token: str = "", **body: str) -> Any:
        """Send one JSON request and return its JSON; a refusal ends the trial."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        options: dict[str, Any] = {"json": body} if method == "POST" else {}
        answer = self._http.request(method, self.url + path, headers=headers, timeout=_ANSWER_SECONDS, **options)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def request_code(self, mobile: str, purpose: str) -> None:
        """Solve a captcha and have a code accepted."""
        captcha_id = self.call("POST", "/api/v1/captchas")["id"]
        with Redis.from_url(f"unix://{self._data}/redis.sock", decode_responses=True) as redis:
            text = str(redis.get(f"captcha:answer:{captcha_id}"))
        self.call("POST", "/api/v1/sms-codes", mobile=mobile, purpose=purpose, captcha_id=captcha_id, captcha_text=text)

    def texts(self, mobile: str) -> list[str]:
        """Return the texts to a mobile, newest first."""
        return [item["text"] for item in self.call("GET", f"/inbox/messages?mobile={mobile}")["items"]]

    def wait_for_code(self, mobile: str, count: int) -> str:
        """Wait until a mobile got that many texts, and return the code of the last one."""
        self.wait_for(lambda: len(self.texts(mobile)) == count, f"has texted {count} times")
        code = re.search(r"(?<!\d)\d{6}(?!\d)", self.texts(mobile)[0])
        assert code is not None
        return code[0]

    def stop_worker(self) -> None:
        """Keep the worker from taking jobs, as on a machine that hangs."""
        for process in self._worker():
            process.send_signal(signal.SIGSTOP)

    def wait_for(self, condition: Callable[[], bool], name: str, *, seconds: float = _ANSWER_SECONDS) -> None:
        """Wait until something is true of the stack."""
        end = time.monotonic() + seconds
        while not condition():
            assert self._process.poll() is None, self._log.read_text()[-4000:]
            assert time.monotonic() < end, f"after {seconds} s it is not true that the stack {name}"
            time.sleep(0.1)

    def kill_worker(self) -> None:
        """Kill the worker; the process manager then ends everything else, Redis last."""
        for process in self._worker():
            process.kill()
        self._process.wait(_START_SECONDS)

    def _worker(self) -> list[psutil.Process]:
        processes = psutil.Process(self._process.pid).children(recursive=True)
        return [process for process in processes if "sms_service.worker" in process.cmdline()]

    def stop(self) -> None:
        """End everything in order."""
        self._process.terminate()
        self._process.wait(_START_SECONDS)


@contextlib.contextmanager
def checked_out(revision: str, folder: Path) -> Iterator[Path]:
    """Check a revision out and install what it needs, for the ``with`` block."""
    tree = folder / "before"
    subprocess.run(["git", "worktree", "add", "--detach", str(tree), revision], cwd=ROOT, check=True)
    try:
        subprocess.run(["make", ".venv/.runtime"], cwd=tree, check=True)
        yield tree
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)


def leave_state(before: Stack) -> dict[str, Any]:
    """Register somebody, have a code texted to another mobile, and leave one that is not texted on the queue."""
    registered, waiting = (f"138{secrets.randbelow(10**8):08}" for _ in range(2))
    before.request_code(registered, "register")
    account = {"mobile": registered, "password": PASSWORD}
    session = before.call("POST", "/api/v1/users", **account, sms_code=before.wait_for_code(registered, 1))
    before.stop_worker()
    before.request_code(waiting, "register")
    assert before.texts(waiting) == []
    return {"registered": registered, "waiting": waiting, "session": session}


def check_state(after: Stack, state: dict[str, Any]) -> None:
    """Find everything that `leave_state` left, and use it."""
    own = after.call("GET", "/api/v1/users/me", token=state["session"]["access_token"])
    assert own["id"] == state["session"]["user"]["id"]
    print("- the access token of before is still accepted", flush=True)
    after.call("POST", "/api/v1/tokens/refresh", refresh_token=state["session"]["refresh_token"])
    print("- the refresh token of before gets its successor", flush=True)
    after.call("POST", "/api/v1/sessions", mobile=state["registered"], password=PASSWORD)
    print("- the person of before logs in by password", flush=True)
    code = after.wait_for_code(state["waiting"], 1)
    print("- the job of before is texted, once", flush=True)
    after.call("POST", "/api/v1/users", mobile=state["waiting"], sms_code=code, password=PASSWORD)
    print("- the code of before opens an account", flush=True)


def main() -> int:
    """Run the trial; the first thing that is not as it should be ends it."""
    parser = argparse.ArgumentParser(prog="make upgrade-trial")
    parser.add_argument("revision", help="the revision that runs first")
    revision = parser.parse_args().revision
    with tempfile.TemporaryDirectory(prefix="xj") as name, checked_out(revision, Path(name)) as tree:
        data = Path(name) / "data"
        before = Stack(tree, data)
        print(f"{revision} runs", flush=True)
        state = leave_state(before)
        before.kill_worker()
        after = Stack(ROOT, data)
        print("this tree runs on the same data", flush=True)
        check_state(after, state)
        after.stop()
    print("The upgrade works.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
