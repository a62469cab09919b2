"""Reads a dump file in pieces of text, and refuses what is not one."""

import codecs
from collections.abc import Callable, Iterator
from pathlib import Path

from news_service.dumps.mysql_dump import DumpBroken

_PIECE_BYTES = 256 * 1024


def read_pieces(path: Path, on_bytes: Callable[[int], None]) -> Iterator[str]:
    """Read a file piece by piece, as UTF-8 with or without a mark at its start; ``on_bytes`` hears of the progress.

    Raises:
        DumpBroken: the bytes are no text, or a text in another encoding.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    done = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield _decode(decoder, piece, done)
            done += len(piece)
            on_bytes(len(piece))
        yield _decode(decoder, b"", done, is_end=True)


def _decode(decoder: codecs.IncrementalDecoder, piece: bytes, offset: int, *, is_end: bool = False) -> str:
    try:
        text = decoder.decode(piece, is_end)
    except UnicodeDecodeError as error:
        # Another encoding would load without an error and as nonsense, so nothing is guessed.
        place = f"near byte {offset + error.start}"
        raise DumpBroken(f"the file is not UTF-8 ({place}); export it with the character set utf8mb4") from error
    if "\0" in text:
        raise DumpBroken("the file holds zero bytes; it is not an SQL dump")
    return text
