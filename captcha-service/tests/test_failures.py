from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from structlog.testing import capture_logs

from captcha_service.settings import Settings
from chassis.settings import load_settings

Headers = Callable[..., dict[str, str]]


@pytest.fixture
def client(make_app: Callable[..., OpenAPI], tmp_path: Path) -> Iterator[FlaskClient]:
    """A client of a service whose Redis is away."""
    with capture_logs():  # Formatting a traceback for the terminal takes a second.
        yield make_app(redis_url=f"unix://{tmp_path}/nobody.sock").test_client()


@pytest.mark.parametrize(
    ("method", "path", "json", "service"),
    [
        ("POST", "/api/v1/captchas", {}, "gateway"),
        ("POST", "/api/v1/captchas", {"kind": "pow"}, "gateway"),
        ("GET", "/api/v1/captchas/xj00000000000000000000000000000000000000/image", None, "gateway"),
        ("GET", "/api/v1/captchas/xj00000000000000000000000000000000000000/audio", None, "gateway"),
        ("POST", "/internal/captchas/xj00/attempts", {"text": "x"}, "sms-service"),
        ("PUT", "/internal/captchas/an-id", None, "gateway"),
        ("DELETE", "/internal/captchas/an-id", None, "gateway"),
    ],
)
def test_without_redis_everything_is_a_503_problem(
    client: FlaskClient, called_by: Headers, method: str, path: str, json: object, service: str
) -> None:
    answer = client.open(path, method=method, json=json, headers=called_by("captcha-service", service))
    assert answer.status_code == 503
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"] == "service_unavailable"
    assert int(answer.headers["Retry-After"]) > 0


def test_without_redis_the_service_is_alive_and_not_ready(client: FlaskClient) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503


def test_missing_settings_are_named_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("CAPTCHA_REDIS_URL", "CAPTCHA_INTERNAL_TOKEN_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit):
        load_settings(Settings)
    message = capsys.readouterr().err
    assert "CAPTCHA_REDIS_URL" in message
    assert "CAPTCHA_INTERNAL_TOKEN_KEY" in message
