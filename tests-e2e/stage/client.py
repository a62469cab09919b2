"""What a client does at a gateway: one request at a time over connections that stay, and no cookies."""

import time
from typing import Any

import requests

from stage.accounts import Process

PASSWORD = "correct horse battery"
ME = "/api/v1/users/me"
_ANSWER_SECONDS, _REFUSED_SECONDS = 20, 10


class Client:
    """Sends requests while the ``with`` block runs; the codes of registrations are checked by a part that we play."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_error: object) -> None:
        self._session.close()

    def ask(
        self, process: Process, method: str, path: str, *, token: str | None = None, **options: Any
    ) -> requests.Response:
        """Send one request; ``options`` are those of requests."""
        headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        self._session.cookies.clear()
        url = process.url + path
        return self._session.request(method, url, headers=headers, timeout=_ANSWER_SECONDS, **options)

    def register(self, gateway: Process, mobile: str) -> dict[str, Any]:
        """Make an account, and return its tokens."""
        body = {"mobile": mobile, "sms_code": "031415", "password": PASSWORD}
        answer = self.ask(gateway, "POST", "/api/v1/users", json=body)
        assert answer.status_code == 201, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    def log_in(self, gateway: Process, mobile: str, password: str = PASSWORD) -> requests.Response:
        """Log in by password."""
        return self.ask(gateway, "POST", "/api/v1/sessions", json={"mobile": mobile, "password": password})

    def seconds_until_refused(self, gateway: Process, token: str, begun_at: float) -> float:
        """Measure how long a gateway still takes a token."""
        while self.ask(gateway, "GET", ME, token=token).status_code != 401:
            assert time.monotonic() - begun_at < _REFUSED_SECONDS, "the token is still good after ten seconds"
            time.sleep(0.001)
        return time.monotonic() - begun_at
