"""Which variables and templates a provider needs, and what is made of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chassis.settings import load_settings
from sms_service.codes.templates import Templates
from sms_service.providers.factory import make_provider, make_receipt_readers
from sms_service.providers.provider import Provider, ProviderUnusable
from sms_service.providers.settings import ProviderName, missing_credentials, receipts_address
from sms_service.settings import Settings

CREDENTIALS = {
    "inbox": {},
    "yuntongxun": {"yuntongxun_account_sid": "s", "yuntongxun_auth_token": "t", "yuntongxun_app_id": "a"},
    "aliyun": {"aliyun_access_key_id": "i", "aliyun_access_key_secret": "s", "aliyun_sign_name": "新经资讯"},
    "aliyun_pnvs": {
        "aliyun_pnvs_access_key_id": "i",
        "aliyun_pnvs_access_key_secret": "s",
        "aliyun_pnvs_sign_name": "速通互联验证码",
    },
    "tencent": {
        "tencent_secret_id": "i",
        "tencent_secret_key": "k",
        "tencent_sdk_app_id": "1400006666",
        "tencent_sign_name": "新经资讯",
    },
    "twilio": {"twilio_account_sid": "AC1", "twilio_auth_token": "t", "twilio_sender": "新经 News"},
    "webhook": {"webhook_url": "http://texts.internal:8080/sms?a=1", "webhook_key": "whsec_" + "A" * 32},
}
names = pytest.mark.parametrize("name", CREDENTIALS)


@pytest.fixture
def make(make_settings, redis, keys, templates) -> Callable[[str, Settings], Provider]:
    return lambda name, settings: make_provider(name, settings, redis=redis, keys=keys, templates=templates)


def test_every_provider_is_covered() -> None:
    assert list(CREDENTIALS) == [name.value for name in ProviderName]


@names
def test_a_provider_is_made_from_its_credentials(make, make_settings, name: str) -> None:
    provider = make(name, make_settings(routes=f"CN={name}", **CREDENTIALS[name]))
    assert provider.name == name
    provider.close_connections()


@pytest.mark.parametrize("empty", ["", None])
@names
def test_every_missing_variable_is_named(
    make_settings, monkeypatch: pytest.MonkeyPatch, name: str, empty: str | None
) -> None:
    for field in CREDENTIALS[name] if empty is not None else ():
        monkeypatch.setenv(f"SMS_{field}".upper(), empty)
    settings = make_settings()
    assert missing_credentials(settings, name) == [f"SMS_{field}".upper() for field in CREDENTIALS[name]]


def test_a_provider_cannot_be_made_without_its_credentials(make, make_settings) -> None:
    with pytest.raises(ProviderUnusable, match=r"tencent needs SMS_TENCENT_SECRET_KEY$"):
        make("tencent", make_settings(**CREDENTIALS["tencent"] | {"tencent_secret_key": ""}))


def test_the_process_stops_with_all_variables_that_the_chosen_provider_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], redis_url: str, internal_token_key: str
) -> None:
    variables = {"REDIS_URL": redis_url, "CAPTCHA_SERVICE_URL": "http://127.0.0.1:9", "ROUTES": "aliyun"}
    variables |= {"INTERNAL_TOKEN_KEY": internal_token_key, "CODE_KEY": "x" * 32, "ALIYUN_SIGN_NAME": "新经"}
    for name, value in variables.items():
        monkeypatch.setenv(f"SMS_{name}", value)
    with pytest.raises(SystemExit):
        load_settings(Settings)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0].strip() for line in lines[1:]] == [
        "SMS_ALIYUN_ACCESS_KEY_ID",
        "SMS_ALIYUN_ACCESS_KEY_SECRET",
    ]


def test_secrets_may_be_files(make_settings, tmp_path: Path) -> None:
    (tmp_path / "sms_twilio_auth_token").write_text("the token\n".replace(" ", "-"))
    settings = make_settings(_secrets_dir=tmp_path)
    assert settings.twilio_auth_token.get_secret_value() == "the-token"


def test_an_empty_file_of_a_secret_means_that_it_is_not_set(make_settings, tmp_path: Path) -> None:
    fields = ("twilio_auth_token", "webhook_key", "receipts_secret", "amqp_url")
    for field in fields:
        (tmp_path / f"sms_{field}").write_text("")
    settings = make_settings(_secrets_dir=tmp_path)
    assert [getattr(settings, field) for field in fields] == [None] * 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("routes", "another"),
        ("routes", "aliyun_pnvs"),
        ("routes", "CN=aliyun_pnvs;HK=aliyun_pnvs"),
        ("aliyun_access_key_id", "a\nb"),
        ("tencent_secret_id", "密"),
        ("twilio_auth_token", "a token"),
        ("webhook_key", "short"),
        ("webhook_url", "ftp://texts.internal"),
        ("webhook_url", "texts.internal/sms"),
        ("webhook_url", "http://texts.internal:port/"),
        ("webhook_url", "http://texts internal/"),
        ("aliyun_url", ""),
        ("tencent_region", "广州"),
        ("public_url", "https://"),
        ("receipts_secret", "short"),
        ("receipts_secret", "with/a/slash/in/it"),
    ],
)
def test_a_malformed_variable_is_refused(make_settings, field: str, value: str) -> None:
    with pytest.raises(ValueError, match=field):
        make_settings(**{field: value})


@pytest.mark.parametrize("name", ["aliyun", "tencent"])
def test_a_provider_without_template_ids_is_refused_at_the_start(
    make_settings, redis, keys, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f'[{name}.en]\nregister = "1"\nlogin = "2"\nchange_mobile = "3"\n')
    with pytest.raises(ProviderUnusable, match=f"{name} has no template id for reauthenticate, reset_password "):
        make_provider(name, make_settings(**CREDENTIALS[name]), redis=redis, keys=keys, templates=Templates(path))


def test_a_template_in_another_language_is_better_than_none(make_provider, vendor, make_sms) -> None:
    make_provider("aliyun").send_text(make_sms(language="en"))
    assert "TemplateCode=SMS_154950909" in vendor.requests[0][0]


def test_receipts_are_read_of_those_whose_credentials_are_set(make_settings) -> None:
    everything = {field: value for fields in CREDENTIALS.values() for field, value in fields.items()}
    readers = make_receipt_readers(make_settings(**everything))
    assert list(readers) == ["aliyun", "aliyun_pnvs", "tencent", "twilio", "webhook"]
    assert list(make_receipt_readers(make_settings(**CREDENTIALS["webhook"]))) == ["webhook"]
    assert make_receipt_readers(make_settings()) == {}


def test_receipts_come_to_a_public_address_that_nobody_guesses(make_settings) -> None:
    secret = "0123456789abcdef"
    settings = make_settings(public_url="https://example.com/", receipts_secret=secret)
    assert receipts_address(settings, "twilio") == f"https://example.com/api/v1/sms/receipts/twilio/{secret}"


@pytest.mark.parametrize("half", [{"public_url": "https://example.com"}, {"receipts_secret": "0123456789abcdef"}])
def test_without_both_halves_no_receipts_come(make_settings, half: dict[str, str]) -> None:
    assert receipts_address(make_settings(**half), "twilio") is None
