"""Starts everything under one terminal: ``python -m local.run``; Ctrl-C stops it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from honcho.environ import parse_procfile
from honcho.manager import Manager

from chassis.settings import load_settings
from local.redis_server import RedisServer
from local.routes import require_right_routes, routes_files
from local.settings import ROOT, LocalSettings, environment

_STEPS = (
    ("database of user-service", ["flask", "--app", "user_service.app", "migrate"]),
    ("database of news-service", ["flask", "--app", "news_service.app", "migrate"]),
    ("sample articles", ["flask", "--app", "news_service.app", "seed"]),
)


def main() -> int:
    """Run until a process ends or Ctrl-C; Redis comes up first and goes last."""
    settings = load_settings(LocalSettings)
    _check_port(settings.port)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    data = settings.data_dir.resolve()
    redis = None if settings.redis_url else RedisServer(data / "redis", data / "redis.sock")
    if redis is not None:
        redis.start()
    try:
        url = settings.redis_url or (redis.url if redis else "")
        return _run(environment(settings, url, _given(settings)))
    finally:
        if redis is not None:
            redis.stop()


def _given(settings: LocalSettings) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "PORT": str(settings.port)}


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            sys.exit(f"Port {port} is in use. Choose another one: PORT=8080 make run")


def _run(env: dict[str, str]) -> int:
    _print_banner(env)
    require_right_routes(ROOT / path for path in routes_files(env))
    for name, command in _STEPS:
        print(f"- {name}", flush=True)
        if subprocess.run(command, env=env, cwd=ROOT, check=False).returncode:
            return 1
    manager = Manager()
    for name, command in parse_procfile((ROOT / "deploy/local/Procfile").read_text()).processes.items():
        manager.add_process(name, command, env=env, cwd=str(ROOT))
    manager.loop()
    return int(manager.returncode or 0)


def _print_banner(env: dict[str, str]) -> None:
    parts = {
        "Redis": env["SMS_REDIS_URL"],
        "user database": env["USER_DATABASE_URL"],
        "news database": env["NEWS_DATABASE_URL"],
        "queue": "RabbitMQ" if env.get("SMS_AMQP_URL") else "Redis stream",
        "SMS provider": env["SMS_ROUTES"],
    }
    print("Xinjing, embedded run")
    for name, value in parts.items():
        print(f"  {name:14} {value.partition('://')[0] if '@' in value else value}")
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
