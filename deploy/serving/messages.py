"""What of gunicorn's requests and responses is ours: strict codings, header lines apart, and a service's own date."""

import re
from typing import Any  # gunicorn has no types.

from gunicorn.http import message, wsgi  # type: ignore[import-untyped]
from gunicorn.http.body import Body  # type: ignore[import-untyped]
from gunicorn.http.errors import InvalidHeader, UnsupportedTransferCoding  # type: ignore[import-untyped]

from chassis.errors import RequestRefused, RequestTimeout

# The environ's key for the header lines in their order, as (name in capitals, value). The gateway reads it.
HEADER_LINES = "xinjing.header_lines"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_create = wsgi.create


class ClientBody(Body):  # type: ignore[misc]
    """A body whose failures are those of its client, in every app; gunicorn's own errors would become a 500."""

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

    def default_headers(self) -> list[str]:
        """Write the lines that every response begins with."""
        own = ("Server:", "Date:") if self._date else ("Server:",)
        lines = [line for line in super().default_headers() if not line.startswith(own)]
        return [*lines, f"Date: {self._date}\r\n"] if self._date else lines

    def can_sendfile(self) -> bool:
        """Refuse: the kernel would wait for the client, in a thread."""
        return False


def create(req: Any, *connection: Any) -> tuple[Response, dict[str, Any]]:
    """Prepare a response and its environ; gunicorn joins equal lines with commas, which two Cookie lines break at."""
    response, environ = _create(req, *connection, response_class=Response)
    environ[HEADER_LINES] = req.headers
    cookies = [value for name, value in req.headers if name == "COOKIE"]
    if len(cookies) > 1:
        environ["HTTP_COOKIE"] = "; ".join(cookies)
    return response, environ


wsgi.create = create  # gunicorn has no setting for it.
