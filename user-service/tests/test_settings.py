import pytest
from pydantic import ValidationError

from user_service.settings import Settings

KEY = "a key of the tests only, number one"
GOOD = {
    "database_url": "sqlite:///x.db",
    "redis_url": "redis://redis",
    "sms_service_url": "http://sms-service:8000",
    "captcha_service_url": "http://captcha-service:8000",
    "internal_token_key": KEY,
    "refresh_token_key": KEY.replace("one", "two"),
    "password_keys": "b:a-key-of-the-tests-only-number-three,a:a-key-of-the-tests-only-number-four-",
    "media_dir": "/tmp/media",
    "signing_key_file": "/tmp/key.pem",
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"refresh_token_key": "short"}, "32"),
        ({"internal_token_key": "short"}, "32"),
        ({"refresh_token_key": KEY}, "must differ"),
        ({"internal_token_key": "a-key-of-the-tests-only-number-three"}, "must differ from all other keys"),
        ({"refresh_token_key": "a-key-of-the-tests-only-number-four-"}, "must differ from all other keys"),
        ({"password_keys": "a:short"}, "at least 32"),
        ({"password_keys": "a-key-without-an-id-and-with-32-characters"}, "the form is id:secret"),
        ({"password_keys": ""}, "the form is id:secret"),
        ({"password_keys": "a:a-key-of-the-tests-only-number-three,"}, "the form is id:secret"),
        ({"password_keys": f"a:{'x' * 32},a:{'y' * 32}"}, "only once"),
        ({"password_keys": f"a:{'x' * 32},b:{'x' * 32}"}, "only once"),
        ({"signing_key_file": None}, "USER_SIGNING_KEY"),
        ({"database_url": "mysql://root@db/x"}, "begin with one of"),
        ({"login_failures_per_ip_per_minute": 0}, "greater than or equal to 1"),
        ({"login_failures_in_a_row": 101}, "less than or equal to 100"),
    ],
)
def test_unsafe_settings_are_refused(change, says):
    with pytest.raises(ValidationError, match=says):
        Settings(**{**GOOD, **change})


def test_secrets_are_not_shown():
    settings = Settings(**GOOD)
    assert KEY not in repr(settings)
    assert "number-three" not in repr(settings) + repr(settings.parsed_password_keys())


def test_a_refused_key_is_not_repeated():
    with pytest.raises(ValidationError) as caught:
        Settings(**{**GOOD, "password_keys": "a:too-short-a-secret"})
    assert "too-short-a-secret" not in str(caught.value)
