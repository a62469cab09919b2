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
def refusal(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Load the settings in vain, with the status at which gunicorn gives up, and return what was printed."""

    def refusal(kind: type[Settings] = Settings) -> str:
        with pytest.raises(SystemExit) as stopped:
            load_settings(kind)
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


@pytest.mark.parametrize(
    ("variable", "known"),
    [
        ("SHOP_WORKER", "SHOP_WORKERS"),
        ("SHOP_LOGLEVEL", "SHOP_LOG_LEVEL"),
        ("shop_worker", "SHOP_WORKERS"),  # Variables are read in any case.
        ("XINJING_SHOP_WORKERS", "SHOP_WORKERS"),
        ("SHOP_METRICS_PORTS", "METRICS_PORT"),
    ],
)
@pytest.mark.usefixtures("_complete")
def test_an_unknown_variable_is_named_with_the_closest_known_one(
    monkeypatch: pytest.MonkeyPatch, refusal: Callable[[], str], variable: str, known: str
) -> None:
    monkeypatch.setenv(variable, "hunter2")
    assert refusal() == (f"Settings are missing or wrong:\n  {variable.upper()}: is unknown, did you mean {known}?\n")


@pytest.mark.usefixtures("_complete")
def test_an_unknown_variable_that_is_like_none_is_named_too(
    monkeypatch: pytest.MonkeyPatch, refusal: Callable[[], str]
) -> None:
    monkeypatch.setenv("SHOP_QQ", "")
    assert refusal().endswith("\n  SHOP_QQ: is unknown\n")


def test_unknown_variables_stand_beside_the_other_problems(
    monkeypatch: pytest.MonkeyPatch, refusal: Callable[[], str]
) -> None:
    monkeypatch.setenv("SHOP_INTERNAL_TOKEN_KEYS", KEY)
    named = [line.split(":")[0].strip() for line in refusal().splitlines()[1:]]
    assert named == ["SHOP_INTERNAL_TOKEN_KEY", "SHOP_DATABASE_URL", "SHOP_INTERNAL_TOKEN_KEYS"]


@pytest.mark.usefixtures("_complete")
def test_a_file_of_a_secret_with_an_unknown_name_is_named(tmp_path: Path, refusal: Callable[..., str]) -> None:
    class WithFiles(Settings):
        model_config = {**settings_config("SHOP_"), "secrets_dir": tmp_path}

    (tmp_path / "shop_databse_url").write_text("sqlite:///shop.db")
    (tmp_path / "templates.toml").write_text("")
    assert "\n  SHOP_DATABSE_URL: is unknown, did you mean SHOP_DATABASE_URL?\n" in refusal(WithFiles)


@pytest.mark.parametrize(
    "variable",
    [
        # The ports that `make run` chooses.
        "SHOP_PORT",
        "SHOP_METRICS_PORT",
        "SHOP_WORKER_METRICS_PORT",
        # Kubernetes, for Services that are called shop, shop-service and xinjing-shop.
        "SHOP_SERVICE_HOST",
        "SHOP_SERVICE_PORT",
        "SHOP_SERVICE_PORT_HTTP",
        "SHOP_PORT_8000_TCP",
        "SHOP_PORT_8000_TCP_PROTO",
        "SHOP_PORT_8000_TCP_PORT",
        "SHOP_PORT_8000_TCP_ADDR",
        "SHOP_SERVICE_SERVICE_HOST",
        "SHOP_SERVICE_SERVICE_PORT",
        "SHOP_SERVICE_SERVICE_PORT_METRICS",
        "SHOP_SERVICE_PORT_9100_TCP_ADDR",
        "XINJING_SHOP_SERVICE_HOST",
        "XINJING_SHOP_PORT_8000_UDP_ADDR",
        # Another service's, in the one environment of `make run`.
        "SHOE_WORKERS",
        "SHOPPING",
    ],
)
@pytest.mark.usefixtures("_complete")
def test_what_others_set_stops_nobody(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "tcp://10.0.0.1:8000")
    assert load_settings(Settings).workers == 2
