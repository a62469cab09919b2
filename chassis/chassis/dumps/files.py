"""Reads a dump file in pieces of text, and refuses other files."""

import codecs
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chassis.dumps.statements import DumpRow, read_rows
from chassis.dumps.tokens import DumpBroken

Progress = Callable[[int], None]
_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True)
class DumpFile:
    """A file that was read once to its end: the number of rows per table."""

    path: Path
    rows: Counter[str]

    def read_table(self, table: str, on_bytes: Progress) -> Iterator[DumpRow]:
        """Read the rows of one table; raises DumpBroken as `examine_file`, if the file has changed."""
        return (row for row in read_rows(read_pieces(self.path, on_bytes)) if row.table == table)


def examine_file(path: Path, on_bytes: Progress) -> DumpFile:
    """Read a file to its end without writing anything.

    Raises:
        DumpBroken: it is cut off, in another encoding, no dump, or has no rows.
    """
    rows = Counter(row.table for row in read_rows(read_pieces(path, on_bytes)))
    if not rows:
        raise DumpBroken("the file holds no INSERT; it is not a dump with data")
    return DumpFile(path, rows)


def read_pieces(path: Path, on_bytes: Progress) -> Iterator[str]:
    """Read a file piece by piece, as UTF-8 with or without a byte order mark; ``on_bytes`` gets each piece's size.

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
        # Text in a guessed encoding would be imported as nonsense without an error.
        place = f"near byte {offset + error.start}"
        raise DumpBroken(f"the file is not UTF-8 ({place}); export it with the character set utf8mb4") from error
    if "\0" in text:
        raise DumpBroken("the file holds zero bytes; it is not an SQL dump")
    return text
