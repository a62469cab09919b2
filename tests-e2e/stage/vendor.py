"""The played SMS vendor: yuntongxun on a socket, which writes down every text and can fail in every way.

``is_idempotent`` is the vendor's promise on ``reqId``: a known one is answered 160054 and texts nobody. Without it, it
is a vendor that texts as often as it is asked.
"""

import asyncio
import enum
import json
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass

from stage.http_stub import HttpStub, Request, response

_ACCEPTED, _REPEATED, _BAD_NUMBER = "000000", "160054", "160042"
_SLOW_PIECE_SECONDS = 0.5


class Reply(enum.Enum):
    """What the vendor says, whatever it did."""

    TRUE = enum.auto()
    BAD_NUMBER = enum.auto()
    HTTP_500 = enum.auto()
    MALFORMED = enum.auto()
    RESET = enum.auto()
    SLOW_BODY = enum.auto()


@dataclass(frozen=True)
class Play:
    """How one request is treated: wait, text or not, wait again, reply."""

    delay_seconds: float = 0
    texts: bool = True
    hold_seconds: float = 0
    reply: Reply = Reply.TRUE


@dataclass(frozen=True)
class Text:
    """One text that a person got; the mobile is as the vendor was given it."""

    mobile: str
    code: str
    job_id: str


class Vendor(HttpStub):
    """Plays ``plays[n]`` for the n-th request of a job, the last one again and again; a mobile may have its own."""

    def __init__(self, *plays: Play, is_idempotent: bool = True) -> None:
        super().__init__()
        self.plays = plays or (Play(),)
        self.is_idempotent = is_idempotent
        self.plays_of: dict[str, tuple[Play, ...]] = {}
        self.requests: Counter[str] = Counter()  # By mobile.
        self._texts: list[Text] = []
        self._taken: set[str] = set()
        self._tries: Counter[str] = Counter()
        self._lock = threading.Lock()

    def texts(self) -> dict[str, list[Text]]:
        """The texts so far, by mobile."""
        found: defaultdict[str, list[Text]] = defaultdict(list)
        with self._lock:
            for text in self._texts:
                found[text.mobile].append(text)
        return found

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Treat one order."""
        order = json.loads(request.body)
        mobile, job_id = order["to"], order["reqId"]
        plays = self.plays_of.get(mobile, self.plays)
        play = plays[min(self._tries[job_id], len(plays) - 1)]
        self._tries[job_id] += 1
        self.requests[mobile] += 1
        await asyncio.sleep(play.delay_seconds)
        code = self._take(Text(mobile, order["datas"][0], job_id)) if play.texts else _ACCEPTED
        await asyncio.sleep(play.hold_seconds)
        await _reply(play.reply, code, writer)

    def _take(self, text: Text) -> str:
        with self._lock:
            if self.is_idempotent and text.job_id in self._taken:
                return _REPEATED
            self._taken.add(text.job_id)
            self._texts.append(text)
        return _ACCEPTED


async def _reply(reply: Reply, code: str, writer: asyncio.StreamWriter) -> None:
    code = _BAD_NUMBER if reply is Reply.BAD_NUMBER else code
    true = response(json.dumps({"statusCode": code, "templateSMS": {"smsMessageSid": "a-sid"}}).encode())
    if reply in (Reply.TRUE, Reply.BAD_NUMBER):
        writer.write(true)
    elif reply is Reply.HTTP_500:
        writer.write(response(b"{}", "500 Internal Server Error"))
    elif reply is Reply.MALFORMED:
        writer.write(response(b"<html>all is well</html>"))
    elif reply is Reply.RESET:
        writer.transport.abort()
    else:
        for index in range(0, len(true), 8):
            writer.write(true[index : index + 8])
            await writer.drain()
            await asyncio.sleep(_SLOW_PIECE_SECONDS)


class PassingCaptchas(HttpStub):
    """Plays captcha-service: every answer to every captcha is right."""

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Pass."""
        writer.write(response(b'{"passed": true}'))
