"""What of gunicorn's requests and responses is ours: strict codings, header lines apart, and a service's own date."""

import re
import time
from email.utils import formatdate
from functools import lru_cache
from typing import Any  # gunicorn has no types.
from urllib.parse import unquote_to_bytes

from gunicorn.http import message, wsgi  # type: ignore[import-untyped]
from gunicorn.http.body import Body  # type: ignore[import-untyped]
from gunicorn.http.errors import InvalidHeader, UnsupportedTransferCoding  # type: ignore[import-untyped]

from chassis.errors import RequestRefused, RequestTimeout

# The environ's key for the header lines in their order, as (name in capitals, value). The gateway reads it.
HEADER_LINES = "xinjing.header_lines"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PLAIN_KEYS = ("CONTENT_TYPE", "CONTENT_LENGTH")


class Settings:
    """gunicorn's settings, each looked up once: gunicorn asks for some twenty of them for each request."""

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._cfg, name)
        setattr(self, name, value)
        return value


class ClientBody(Body):  # type: ignore[misc]
    """A body whose failures are those of its client, in every app; gunicorn's own errors would become a 500."""

    @property
    def is_read(self) -> bool:
        """Whether all of it is read, or there is none; of chunks nobody knows before their end."""
        return getattr(self.reader, "length", None) == 0

    def _read_reader(self, size: int) -> bytes:
        left: int = getattr(self.reader, "length", 0)  # Of a declared length; chunks have an end of their own.
        try:
            data: bytes = super()._read_reader(size)
        except TimeoutError as error:
            raise RequestTimeout from error
        except Exception as error:  # The parser has many kinds for malformed chunks, and for a client that left.
            raise RequestRefused("The body broke off or is malformed.") from error
        if len(data) < min(size, left):
            self.failed = True
            raise RequestRefused("The body is shorter than its Content-Length.")
        return data


class Request(message.Request):  # type: ignore[misc]
    """A request with at most one transfer coding, ``chunked``."""

    def parse_request_line(self, line_bytes: bytes) -> None:
        """Read the first line; a higher minor version is read and answered as HTTP/1.1 (RFC 9110 2.5)."""
        super().parse_request_line(line_bytes)
        self.version: tuple[int, int] = min(self.version, (1, 1))

    def _peer_is_trusted_proxy(self) -> bool:
        """Trust nobody, as ``forwarded_allow_ips`` says; gunicorn would parse the address for each request."""
        return False

    def set_body_reader(self) -> None:
        """Find out where the body ends.

        gunicorn takes ``gzip, chunked`` for ``chunked``, and passes on a body that nobody unpacks (RFC 9112 6.1).

        Raises:
            InvalidHeader: the length or the codings are malformed.
            UnsupportedTransferCoding: there is another coding.
        """
        lines = [value for name, value in self.headers if name == "TRANSFER-ENCODING"]
        codings = [coding.strip(" \t") for line in lines for coding in line.split(",")]
        if not all(map(_TOKEN.fullmatch, codings)):
            raise InvalidHeader("TRANSFER-ENCODING", req=self)
        super().set_body_reader()
        if len(codings) > 1:
            raise UnsupportedTransferCoding(", ".join(codings))
        self.body: ClientBody = ClientBody(self.body.reader)


class Response(wsgi.Response):  # type: ignore[misc]
    """A response that does not name the server's software, and passes each byte through `ClientSocket`."""

    headers_sent: bool
    _date = ""

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        """Check the app's headers; a date among them is kept: what a proxy passes on has one (RFC 9110 6.6.1)."""
        super().process_headers(headers)
        self._date = next((value.strip(" \t") for name, value in headers if name.lower() == "date"), "")

    def should_close(self) -> bool:
        """Tell whether the connection ends; after a malformed body nobody knows where a next request begins.

        After 413 too, so that the client stops sending (RFC 9110 15.5.14).
        """
        return bool(super().should_close() or self.req.body.failed or self.status_code == 413)

    def send_headers(self) -> None:
        """Keep the head for the first bytes of the body: one call of the system sends both."""
        if self.headers_sent:
            return
        version = ".".join(map(str, self.req.version))
        lines = [
            f"HTTP/{version} {self.status}",
            f"Date: {self._date or _date_of(int(time.time()))}",
            f"Connection: {'close' if self.should_close() else 'keep-alive'}",
            *(["Transfer-Encoding: chunked"] if self.chunked else []),
            *(f"{name}: {value}" for name, value in self.headers),
            "\r\n",
        ]
        self.sock.hold("\r\n".join(lines).encode("latin-1"))
        self.headers_sent = True

    def close(self) -> None:
        """End the response; one without a body is sent now."""
        super().close()
        self.sock.sendall(b"")

    def can_sendfile(self) -> bool:
        """Refuse: the kernel would wait for the client, in a thread."""
        return False


@lru_cache(1)
def _date_of(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


@lru_cache(256)
def _environ_key(name: str) -> str:
    key = name.replace("-", "_")
    return key if key in _PLAIN_KEYS else f"HTTP_{key}"


def make_environ(req: Request, client: Any, server: Any, cfg: Any) -> dict[str, Any]:
    """Build the environ of a request (PEP 3333).

    Equal lines are joined with commas, Cookie lines with semicolons: a comma would break a cookie (RFC 6265 5.4).
    """
    environ = {
        **_constant_part(cfg),
        "wsgi.input": req.body,
        "REQUEST_METHOD": req.method,
        "QUERY_STRING": req.query,
        "RAW_URI": req.uri,
        "SERVER_PROTOCOL": "HTTP/1.1" if req.version == (1, 1) else "HTTP/1.0",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "PATH_INFO": unquote_to_bytes(req.path).decode("latin-1") if "%" in req.path else req.path,
        HEADER_LINES: req.headers,
    }
    for name, value in req.headers:
        key = _environ_key(name)
        if key in environ:
            value = f"{environ[key]}{'; ' if name == 'COOKIE' else ','}{value}"
        environ[key] = value
    return environ


@lru_cache(1)
def _constant_part(cfg: Any) -> dict[str, Any]:
    return {
        **wsgi.base_environ(cfg),
        "wsgi.multithread": True,
        "wsgi.url_scheme": "http",
        "SCRIPT_NAME": "",
    }
