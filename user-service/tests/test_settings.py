import pytest
from pydantic import ValidationError

from user_service.settings import Settings

KEY = "a key of the tests only, number one"
GOOD = {
    "database_url": "sqlite:///x.db",
    "redis_url": "redis://redis",
    "sms_service_url": "http://sms-service:8000",
    "internal_token_key": KEY,
    "refresh_token_key": KEY.replace("one", "two"),
    "media_dir": "/tmp/media",
    "signing_key_file": "/tmp/key.pem",
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"refresh_token_key": "short"}, "32"),
        ({"internal_token_key": "short"}, "32"),
        ({"refresh_token_key": KEY}, "must differ"),
        ({"signing_key_file": None}, "USER_SIGNING_KEY"),
        ({"database_url": "mysql://root@db/x"}, "begin with one of"),
        ({"login_failures_per_ip_per_minute": 0}, "greater than or equal to 1"),
    ],
)
def test_unsafe_settings_are_refused(change, says):
    with pytest.raises(ValidationError, match=says):
        Settings(**{**GOOD, **change})


def test_secrets_are_not_shown():
    assert KEY not in repr(Settings(**GOOD))
