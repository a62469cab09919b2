"""What `make token` says when it cannot make a token; that it makes one is tested with `docs/your-services.md`."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from local.settings import free_ports
from local.token import solve


def test_a_proof_of_work_is_found() -> None:
    target = hashlib.sha256(b"a-captcha:4711").hexdigest()
    assert solve("a-captcha", {"target": target, "numbers": 8192}) == 4711


def test_without_a_run_the_message_says_what_to_start(tmp_path: Path) -> None:
    [port] = free_ports(1)
    env = {**os.environ, "PORT": str(port), "DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "local.token"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == f"Nothing answers on port {port}: start `make run` first, or name its PORT.\n"
