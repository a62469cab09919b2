"""nginx as the service behind a gateway that is measured, and nginx and HAProxy in the gateway's place."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS = 10
_NGINX = """
daemon off;
pid {folder}/{name}.pid;
error_log {folder}/{name}.log;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  {http}
}}
"""
_SERVICE = """
  server {{
    listen 127.0.0.1:{port};
    root {folder}/answers;
    default_type application/json;
    location /api/v1/news {{ add_header Cache-Control "public, max-age=3600"; try_files /answer.json =404; }}
    location /.well-known/ {{ }}
    location / {{ try_files /answer.json =404; }}
  }}
"""
_PROXY = """
  upstream service {{ server 127.0.0.1:{service_port}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
"""
_HAPROXY = """
global
  nbthread 1
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
frontend all
  bind 127.0.0.1:{port}
  default_backend service
backend service
  server service 127.0.0.1:{service_port}
"""


class ProgramMissing(Exception):
    """A program is not installed; the text names it."""


@contextmanager
def nginx_service(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Answer every path with ``folder/answers/answer.json``, and those below ``/.well-known/`` with their files."""
    yield from _nginx(folder, "service", port, _SERVICE.format(folder=folder, port=port))


@contextmanager
def nginx_proxy(folder: Path, port: int, *, service_port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run one nginx process as a proxy with kept connections."""
    yield from _nginx(folder, "proxy", port, _PROXY.format(port=port, service_port=service_port))


@contextmanager
def haproxy(folder: Path, port: int, *, service_port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run one thread of HAProxy as a proxy."""
    path = folder / "haproxy.cfg"
    path.write_text(_HAPROXY.format(port=port, service_port=service_port))
    yield from _run([_find("haproxy"), "-f", str(path)], port)


def _nginx(folder: Path, name: str, port: int, http: str) -> Iterator["subprocess.Popen[bytes]"]:
    path = folder / f"{name}.conf"
    path.write_text(_NGINX.format(folder=folder, name=name, http=http))
    yield from _run([_find("nginx"), "-c", str(path), "-e", str(folder / f"{name}.log")], port)


def _find(program: str) -> str:
    path = shutil.which(program, path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin:/opt/homebrew/bin")
    if path is None:
        raise ProgramMissing(f"{program} is not installed")
    return path


def _run(command: list[str], port: int) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(command)
    try:
        until = time.monotonic() + _START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{command[0]} did not start") from None
                time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        process.wait(30)
