from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings

from chassis.database import DatabaseUrl
from chassis.settings import Commas, Key, LogLevel, load_settings, secret_keys, settings_config


class Settings(BaseSettings):
    model_config = settings_config("SHOP_")
    internal_token_key: Key
    database_url: DatabaseUrl
    workers: int = 2
    names: list[str] = []
    towns: Commas[Annotated[str, Field(max_length=8)]] = ()
    log_level: LogLevel = "INFO"
    metrics_port: int = Field(default=9100, validation_alias="METRICS_PORT")


KEY = "k" * 32


@pytest.fixture
def _complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_INTERNAL_TOKEN_KEY", KEY)
    monkeypatch.setenv("SHOP_DATABASE_URL", "sqlite:///shop.db")


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Load the settings in vain, with the status at which gunicorn gives up, and return what was printed."""

    def refusal() -> str:
        with pytest.raises(SystemExit) as stopped:
            load_settings(Settings)
        assert stopped.value.code == 3
        return capsys.readouterr().err

    return refusal


def test_every_problem_stands_in_one_message(monkeypatch: pytest.MonkeyPatch, refusal: Callable[[], str]) -> None:
    monkeypatch.setenv("SHOP_WORKERS", "many")
    monkeypatch.setenv("METRICS_PORT", "none")
    lines = refusal().splitlines()
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
        ("SHOP_TOWNS", "Xi'an, hunter2-town"),
        ("SHOP_LOG_LEVEL", "hunter2"),
    ],
)
@pytest.mark.usefixtures("_complete")
def test_no_value_is_printed(
    monkeypatch: pytest.MonkeyPatch, refusal: Callable[[], str], variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    message = refusal()
    assert variable.removeprefix("SHOP_").lower() in message.lower()
    assert "hunter2" not in message


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


@pytest.mark.parametrize(("key", "is_accepted"), [("k" * 31, False), ("k" * 32, True), ("é" * 16, True)])
@pytest.mark.usefixtures("_complete")
def test_a_key_has_32_bytes(monkeypatch: pytest.MonkeyPatch, key: str, is_accepted: bool) -> None:
    monkeypatch.setenv("SHOP_INTERNAL_TOKEN_KEY", key)
    if is_accepted:
        assert secret_keys(load_settings(Settings)) == {"SHOP_INTERNAL_TOKEN_KEY": key}
    else:
        with pytest.raises(ValueError, match="needs at least 32 bytes"):
            Settings()


@pytest.mark.usefixtures("_complete")
def test_a_list_is_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOWNS", " Beijing,, Xi'an ,")
    assert load_settings(Settings).towns == ("Beijing", "Xi'an")
