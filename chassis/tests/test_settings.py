from pathlib import Path

import pytest
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from chassis.database import checked_url
from chassis.settings import load_settings, settings_config


class Settings(BaseSettings):
    model_config = settings_config("SHOP_")
    internal_token_key: SecretStr = Field(min_length=32)
    database_url: SecretStr
    workers: int = 2
    names: list[str] = []
    metrics_port: int = Field(default=9100, validation_alias="METRICS_PORT")

    @field_validator("database_url")
    @classmethod
    def has_a_driver(cls, value: SecretStr) -> SecretStr:
        checked_url(value.get_secret_value())
        return value


KEY = "k" * 32


@pytest.fixture
def _complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_INTERNAL_TOKEN_KEY", KEY)
    monkeypatch.setenv("SHOP_DATABASE_URL", "sqlite:///shop.db")


def test_every_problem_stands_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_WORKERS", "many")
    monkeypatch.setenv("METRICS_PORT", "none")
    with pytest.raises(SystemExit) as stopped:
        load_settings(Settings)
    lines = str(stopped.value).splitlines()
    assert lines[0] == "Settings are missing or wrong:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "SHOP_INTERNAL_TOKEN_KEY",
        "SHOP_DATABASE_URL",
        "SHOP_WORKERS",
        "METRICS_PORT",
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SHOP_INTERNAL_TOKEN_KEY", "hunter2"),
        ("SHOP_DATABASE_URL", "mysql://shop:hunter2@host/shop"),
        ("SHOP_DATABASE_URL", "hunter2"),
        ("SHOP_DATABASE_URL", "mysql+pymysql://shop:a:hunter2@host:hunter2/shop"),
        ("SHOP_WORKERS", "hunter2"),
        ("SHOP_NAMES", "hunter2"),
    ],
)
@pytest.mark.usefixtures("_complete")
def test_no_value_is_printed(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as stopped:
        load_settings(Settings)
    assert variable.removeprefix("SHOP_").lower() in str(stopped.value).lower()
    assert "hunter2" not in str(stopped.value)


@pytest.mark.usefixtures("_complete")
def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_WORKERS", "")
    assert load_settings(Settings).workers == 2


@pytest.mark.usefixtures("_complete")
def test_settings_are_frozen_and_print_no_secret() -> None:
    settings = load_settings(Settings)
    with pytest.raises(ValueError, match="frozen"):
        settings.workers = 3
    assert KEY not in repr(settings)


def test_a_secret_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "shop_internal_token_key").write_text(KEY + "\n")
    (tmp_path / "shop_database_url").write_text("sqlite:///shop.db\n")
    settings = Settings(_secrets_dir=tmp_path)  # type: ignore[call-arg]
    assert settings.internal_token_key.get_secret_value() == KEY


def test_a_variable_wins_over_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop_internal_token_key").write_text("f" * 32)
    monkeypatch.setenv("SHOP_INTERNAL_TOKEN_KEY", KEY)
    monkeypatch.setenv("SHOP_DATABASE_URL", "sqlite:///shop.db")
    settings = Settings(_secrets_dir=tmp_path)  # type: ignore[call-arg]
    assert settings.internal_token_key.get_secret_value() == KEY
