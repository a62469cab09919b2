"""The body of a request: read before the service is called; only an upload is passed on in steps."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from chassis.errors import BodyTooLarge, RequestRefused, RequestTimeout, XinjingError
from chassis.web import MAX_BODY_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# The steps of an upload, and of a response.
SMALL_BYTES = 64 * 1024


@dataclass(frozen=True)
class Body:
    """``chunks`` holds the bytes; ``length`` is None if it is only known after the last byte."""

    chunks: bytes | Iterator[bytes]
    length: int | None

    @property
    def is_empty(self) -> bool:
        """Whether there is no body at all."""
        return self.length == 0


def read_body(environ: "WSGIEnvironment", *, cap_bytes: int) -> Body:
    """Read a body whole before any service hears of it, or prepare an upload for streaming.

    An upload is what has a cap above `MAX_BODY_BYTES`; its first `SMALL_BYTES` are read here.

    Raises:
        BodyTooLarge: the body is over the cap; while streaming, the iterator raises it.
        RequestRefused: the client broke off, or its chunks are malformed.
        RequestTimeout: it sends too slowly; while streaming, the iterator raises it.
    """
    whole_bytes = cap_bytes if cap_bytes <= MAX_BODY_BYTES else SMALL_BYTES
    declared = _declared_length(environ)
    if declared is not None and declared > cap_bytes:
        raise BodyTooLarge
    if declared is None and "HTTP_TRANSFER_ENCODING" not in environ:
        return Body(b"", 0)
    stream: IO[bytes] = environ["wsgi.input"]
    first = _read_up_to(stream, whole_bytes + 1 if declared is None else min(declared, whole_bytes))
    if declared is None and len(first) <= whole_bytes:
        return Body(first, len(first))
    if declared is not None and declared <= whole_bytes:
        _check_whole(len(first), declared)
        return Body(first, declared)
    if whole_bytes == cap_bytes:
        raise BodyTooLarge
    return Body(_stream_rest(stream, first, declared=declared, cap_bytes=cap_bytes), declared)


def _declared_length(environ: "WSGIEnvironment") -> int | None:
    text = environ.get("CONTENT_LENGTH", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise RequestRefused("The Content-Length is not acceptable.")
    return int(text)


def _stream_rest(stream: IO[bytes], first: bytes, *, declared: int | None, cap_bytes: int) -> Iterator[bytes]:
    done, chunk = 0, first
    while chunk:
        done += len(chunk)
        if done > cap_bytes:
            raise BodyTooLarge
        yield chunk
        left = SMALL_BYTES if declared is None else min(SMALL_BYTES, declared - done)
        chunk = _read_up_to(stream, left) if left else b""
    if declared is not None:
        _check_whole(done, declared)


def _read_up_to(stream: IO[bytes], size: int) -> bytes:
    """Read up to ``size`` bytes; fewer only at the end."""
    parts, left = [], size
    while left:
        try:
            part = stream.read(left)
        except XinjingError:  # Our worker class knows which.
            raise
        except TimeoutError as error:
            raise RequestTimeout from error
        except Exception as error:  # Another server's parser raises many kinds for malformed chunks or a lost client.
            raise RequestRefused("The body broke off or is malformed.") from error
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _check_whole(got: int, declared: int) -> None:
    if got != declared:
        raise RequestRefused("The body is shorter than its Content-Length.")
