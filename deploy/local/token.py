"""Prints an access token of a developer's own account: ``make -s token``, beside a running ``make run``.

The account is made at the first call, by the same calls as everybody's: a captcha (the proof of work, which programs
may solve), the code from the inbox, a password. The password is a secret of this machine, in the data folder.
"""

import argparse
import hashlib
import itertools
import os
import re
import subprocess
import sys
import time
from typing import Any  # JSON.

import requests
from pydantic import Field

from chassis.settings import load_settings
from local.settings import ROOT, LocalSettings, environment, redis_socket_url, secret

_ANSWER_SECONDS = 20
_TEXT_SECONDS = 30


class TokenSettings(LocalSettings):
    """MOBILE is the account's mobile: several mobiles are several people."""

    mobile: str = Field(default="13800138000", pattern=r"^[0-9+]+$")


def main() -> None:
    """Print a token of a sign-in of this moment."""
    arguments = argparse.ArgumentParser(prog="local.token", description=__doc__)
    arguments.add_argument("--admin", action="store_true", help="make the person an administrator")
    is_admin = arguments.parse_args().admin
    settings = load_settings(TokenSettings)
    password = secret(settings.data_dir.resolve() / "secrets", "developer_password")
    try:
        tokens = Api(f"http://127.0.0.1:{settings.port}").sign_in(settings.mobile, password)
        if is_admin:
            _grant_admin(settings)
            tokens = Api(f"http://127.0.0.1:{settings.port}").sign_in(settings.mobile, password)
    except requests.ConnectionError:
        sys.exit(f"Nothing answers on port {settings.port}: start `make run` first, or name its PORT.")
    print(tokens["access_token"])


def _grant_admin(settings: TokenSettings) -> None:
    url = settings.redis_url or redis_socket_url(settings)
    command = [sys.executable, "-m", "flask", "--app", "user_service.app", "admin", "grant", settings.mobile]
    done = subprocess.run(
        command, env=environment(settings, url, os.environ), cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)


class Api:
    """The calls of a person who signs in."""

    def __init__(self, url: str) -> None:
        self._url = url

    def sign_in(self, mobile: str, password: str) -> dict[str, Any]:
        """Return the tokens of a person, who is registered if there is none.

        Raises:
            SystemExit: the API refuses a call; the message says which, and why.
        """
        body = {"mobile": mobile, "password": password}
        answer = self._call("POST", "/api/v1/sessions", body)
        if answer.status_code == 401:
            answer = self._call("POST", "/api/v1/users", {**body, "sms_code": self._ask_code(mobile)})
        return self._json(answer)

    def _ask_code(self, mobile: str) -> str:
        captcha = self._json(self._call("POST", "/api/v1/captchas", {"kind": "pow"}))
        number = solve(captcha["id"], captcha["challenge"])
        body = {"mobile": mobile, "purpose": "register", "captcha_id": captcha["id"], "captcha_text": str(number)}
        texts = len(self._texts(mobile))
        self._json(self._call("POST", "/api/v1/sms-codes", body))
        end = time.monotonic() + _TEXT_SECONDS
        while len(found := self._texts(mobile)) == texts:
            if time.monotonic() > end:
                sys.exit("No text with a code has come to the inbox.")
            time.sleep(0.1)
        return str(re.findall(r"(?<!\d)\d{6}(?!\d)", found[0])[0])

    def _texts(self, mobile: str) -> list[str]:
        answer = self._json(self._call("GET", f"/inbox/messages?mobile={mobile}"))
        return [item["text"] for item in answer["items"]]

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> requests.Response:
        return requests.request(method, self._url + path, json=body, timeout=_ANSWER_SECONDS)

    def _json(self, answer: requests.Response) -> dict[str, Any]:
        if not answer.ok:
            sys.exit(f"{answer.request.method} {answer.request.path_url}: {answer.status_code} {answer.text.strip()}")
        value: dict[str, Any] = answer.json()
        return value


def solve(captcha_id: str, challenge: dict[str, Any]) -> int:
    """Find the number that a proof of work asks for: it takes a second or two."""
    target = bytes.fromhex(challenge["target"])
    shared = hashlib.sha256(f"{captcha_id}:".encode())
    for number in itertools.count():
        attempt = shared.copy()
        attempt.update(b"%d" % number)
        if attempt.digest() == target:
            return number
    raise AssertionError("count() has no end")


if __name__ == "__main__":
    main()
