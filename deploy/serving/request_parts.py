"""Tells when a client has sent a whole request."""

import re

COLLECTED_BYTES = 1024 * 1024  # A larger body is either an upload or too large for its operation.
HEAD_BYTES = 64 * 1024
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*(?=\r\n)", re.IGNORECASE)
_CODING = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]{0,256})?\r\n")


class RequestParts:
    """Tells when the bytes of a connection hold a whole request; it understands no more of HTTP than that.

    What it does not understand counts as whole: gunicorn's parser then refuses it, or reads on with a deadline.
    """

    def __init__(self) -> None:
        self.received = bytearray()
        self.head_bytes = 0  # 0 until the end of the head is there.
        self.wants_continue = False
        self._whole_bytes = 0  # 0: not known before the last chunk is there.
        self._chunk_at = 0

    def add(self, data: bytes) -> None:
        """Add what came."""
        searched_from = max(0, len(self.received) - 3)
        self.received += data
        while self.received.startswith(b"\r\n") and not self.head_bytes:
            del self.received[:2]  # Empty lines before a request mean nothing (RFC 9112 2.2).
            searched_from = 0
        if not self.head_bytes:
            self._find_head_end(searched_from)

    @property
    def is_whole(self) -> bool:
        """Whether a thread may have the request now."""
        if not self.head_bytes:
            return len(self.received) > HEAD_BYTES
        if self.is_large:
            return True
        if self._whole_bytes:
            return len(self.received) >= self._whole_bytes
        return self._has_last_chunk()

    @property
    def is_large(self) -> bool:
        """Whether the body is, or turned out to be, too large to be collected."""
        return max(self._whole_bytes, len(self.received)) - self.head_bytes > COLLECTED_BYTES

    def _find_head_end(self, searched_from: int) -> None:
        end = self.received.find(b"\r\n\r\n", searched_from)
        if end < 0:
            # The parser refuses such a head at once; this would wait for an end that never comes.
            if _BARE_LINE_FEED.search(self.received, searched_from):
                self.head_bytes = self._whole_bytes = len(self.received)
            return
        self.head_bytes = end + 4
        head = bytes(self.received[: self.head_bytes])
        lengths, is_coded = _LENGTH.findall(head), _CODING.search(head)
        if is_coded and not lengths:
            self._chunk_at = self.head_bytes
        else:
            self._whole_bytes = self.head_bytes + (int(lengths[0]) if len(lengths) == 1 and not is_coded else 0)
        if not self.is_whole and _EXPECT.search(head):
            # The client waits for this word with its body. It is given here, once, and the parser sees no wish.
            self.wants_continue = True
            self._without_expectation(head)

    def _without_expectation(self, head: bytes) -> None:
        shorter = _EXPECT.sub(b"", head)
        removed = len(head) - len(shorter)
        self.received[: self.head_bytes] = shorter
        self.head_bytes -= removed
        self._whole_bytes -= removed if self._whole_bytes else 0
        self._chunk_at -= removed if self._chunk_at else 0

    def _has_last_chunk(self) -> bool:
        while True:
            line = _CHUNK_SIZE.match(self.received, self._chunk_at)
            if line is None:
                # Half a size line is waited for. A line that is none is the parser's to refuse.
                return len(self.received) - self._chunk_at > 300 or b"\n" in self.received[self._chunk_at :]
            size = int(line[1], 16)
            if size == 0:  # The trailer, which is mostly empty, ends with an empty line (RFC 9112 7.1).
                return self.received.find(b"\r\n\r\n", line.end() - 2) >= 0
            if line.end() + size + 2 > len(self.received):
                return False
            self._chunk_at = line.end() + size + 2
