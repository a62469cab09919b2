"""T44: user-service does not start where it would not be safe."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from user_service.app import check_start

pytestmark = pytest.mark.any_database  # Settings do not depend on it.


@pytest.fixture
def safe_settings(settings):
    drawn = {name: SecretStr(secrets.token_urlsafe(32)) for name in ("internal_token_key", "refresh_token_key")}
    drawn["password_keys"] = SecretStr(f"k1:{secrets.token_urlsafe(32)}")
    return settings.model_copy(update=drawn)


@pytest.fixture
def refusal(safe_settings, capsys):
    """Change settings and return the message that stops the start."""

    def refusal(**changed):
        with pytest.raises(SystemExit):
            check_start(safe_settings.model_copy(update=changed))
        return capsys.readouterr().err

    return refusal


def test_T44_good_settings_start(safe_settings):
    check_start(safe_settings)


def test_T44_obvious_keys_are_refused_together(refusal):
    message = refusal(internal_token_key=SecretStr("x" * 32), refresh_token_key=SecretStr("changeme" * 5))
    assert "USER_INTERNAL_TOKEN_KEY is" in message
    assert "USER_REFRESH_TOKEN_KEY is" in message
    assert "changeme" not in message


def test_T44_one_secret_for_two_uses_is_refused(refusal):
    key = SecretStr(secrets.token_urlsafe(32))
    assert "must differ" in refusal(internal_token_key=key, refresh_token_key=key)


def test_T44_a_key_file_open_to_others_is_refused(refusal, safe_settings):
    safe_settings.signing_key_file.parent.mkdir(exist_ok=True)
    safe_settings.signing_key_file.touch(mode=0o644)
    assert "chmod 600" in refusal()


def test_T44_an_unwritable_key_file_is_refused(refusal):
    assert "cannot be written" in refusal(signing_key_file=Path("/proc/x/y"))


def test_T44_the_command_line_stops_too(database_url, redis_url, tmp_path):
    env = {
        **os.environ,
        "USER_DATABASE_URL": database_url,
        "USER_REDIS_URL": redis_url,
        "USER_SMS_SERVICE_URL": "http://127.0.0.1:9",
        "USER_INTERNAL_TOKEN_KEY": "k" * 40,
        "USER_REFRESH_TOKEN_KEY": secrets.token_urlsafe(32),
        "USER_SIGNING_KEY_FILE": str(tmp_path / "ring.json"),
        "USER_CAPTCHA_SERVICE_URL": "http://127.0.0.1:9",
        "USER_MEDIA_DIR": str(tmp_path),
        "USER_PASSWORD_KEYS": f"k1:{secrets.token_urlsafe(32)}",
        "FLASK_DEBUG": "1",
    }
    command = [sys.executable, "-c", "from user_service.app import create_app; create_app()"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "USER_INTERNAL_TOKEN_KEY" in done.stderr
    assert "FLASK_DEBUG" in done.stderr
    assert not (tmp_path / "ring.json").exists()
