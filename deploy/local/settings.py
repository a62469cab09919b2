"""What the embedded run decides for the parts that the operator has not configured."""

import os
import secrets
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.auth.identity_tokens import new_key_pem
from local.routes import make_routes_file

ROOT = Path(__file__).parents[2]
PREFIXES = ("CAPTCHA", "SMS", "USER", "NEWS", "GATEWAY")
_SERVER_PORTS = range(10_000, 32_000)
SERVICES = ("CAPTCHA", "SMS", "USER", "NEWS")


class LocalSettings(BaseSettings):
    """PORT is the public port, DATA_DIR the folder of all data, REDIS_URL a Redis to use instead of a child process."""

    model_config = SettingsConfigDict(frozen=True)

    port: int = Field(default=8000, ge=1, le=65535)
    data_dir: Path = Path(".run")
    redis_url: str | None = None


def redis_socket_url(settings: LocalSettings) -> str:
    """Return the address of the Redis that the embedded run starts itself."""
    return f"unix://{settings.data_dir.resolve() / 'redis.sock'}"


def secret(folder: Path, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> str:
    """Read a secret from its file, which is made at the first start and readable by its owner alone.

    ``make`` makes it; without it, it has 256 bits.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make())
    return path.read_text()


def free_ports(count: int) -> list[int]:
    """Find TCP ports on 127.0.0.1 that nobody uses, in random order.

    They lie below the range from which the kernel gives ports to clients, so that no connection takes one meanwhile.
    """
    with ExitStack() as probes:
        ports: list[int] = []
        while len(ports) < count:
            probe = probes.enter_context(socket.socket())
            with suppress(OSError):
                probe.bind(("127.0.0.1", secrets.choice(_SERVER_PORTS)))
                ports.append(probe.getsockname()[1])
        return ports


def environment(settings: LocalSettings, redis_url: str, given: Mapping[str, str]) -> dict[str, str]:
    """Build the environment of all processes; what the operator has given wins over every default here."""
    data = settings.data_dir.resolve()
    names = [*(f"{name}_PORT" for name in SERVICES)]
    names += [f"{name}_METRICS_PORT" for name in (*PREFIXES, "SMS_WORKER")]
    chosen = {name: str(port) for name, port in zip(names, free_ports(len(names)), strict=True)}
    chosen |= {f"GATEWAY_{name}_SERVICE_URL": f"http://127.0.0.1:{chosen[f'{name}_PORT']}" for name in SERVICES}
    chosen |= {
        "PORT": str(settings.port),
        "SMS_CAPTCHA_SERVICE_URL": chosen["GATEWAY_CAPTCHA_SERVICE_URL"],
        "USER_SMS_SERVICE_URL": chosen["GATEWAY_SMS_SERVICE_URL"],
        "USER_CAPTCHA_SERVICE_URL": chosen["GATEWAY_CAPTCHA_SERVICE_URL"],
        "NEWS_USER_SERVICE_URL": chosen["GATEWAY_USER_SERVICE_URL"],
        "NEWS_SITE_URL": f"http://127.0.0.1:{settings.port}",
        "USER_SIGNING_KEY_FILE": str(data / "secrets" / "user_signing_keys.json"),
        "USER_REFRESH_TOKEN_KEY": secret(data / "secrets", "user_refresh_token_key"),
        "USER_PASSWORD_KEYS": f"1:{secret(data / 'secrets', 'user_password_key')}",
        "SMS_CODE_KEY": secret(data / "secrets", "sms_code_key"),
        "SMS_ROUTES": "inbox",
        "GATEWAY_IDENTITY_KEYS": secret(data / "secrets", "gateway_identity_keys", new_key_pem),
        "GATEWAY_ROUTES_FILE": make_routes_file(data / "routes.yaml"),
        "PID_FILE": str(data / "gateway.pid"),
        "GATEWAY_COOKIES_SECURE": "false",  # Plain HTTP on this machine's own address.
        "PYTHONUNBUFFERED": "1",
    }
    for prefix in PREFIXES:
        chosen[f"{prefix}_REDIS_URL"] = redis_url
        chosen[f"{prefix}_INTERNAL_TOKEN_KEY"] = secret(data / "secrets", "internal_token_key")
    return chosen | data_environment(data) | dict(given)


def data_environment(data: Path) -> dict[str, str]:
    """Name where the databases and pictures lie in the folder of all data; an import needs nothing else."""
    return {
        "USER_DATABASE_URL": f"sqlite:///{data / 'user.db'}",
        "NEWS_DATABASE_URL": f"sqlite:///{data / 'news.db'}",
        "USER_MEDIA_DIR": str(data / "media"),
        "NEWS_IMAGES_DIR": str(data / "images"),
    }
