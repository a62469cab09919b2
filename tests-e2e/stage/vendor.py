"""Played SMS vendors on sockets, which write down every text and can fail in every way: yuntongxun, and two others.

``is_idempotent`` is the vendor's promise on the job's id: a known one is answered so, and texts nobody. Without it, it
is a vendor that texts as often as it is asked.
"""

import asyncio
import enum
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from stage.http_stub import HttpStub, Request, response

_SLOW_PIECE_SECONDS = 0.5


class Reply(enum.Enum):
    """What the vendor says, whatever it did."""

    TRUE = enum.auto()
    BAD_NUMBER = enum.auto()
    BAD_KEY = enum.auto()
    UNLISTED = enum.auto()  # A code of the vendor's form that no table has.
    BUSY = enum.auto()
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
    """One text that a person got; the mobile has no country code."""

    mobile: str
    code: str
    job_id: str
    is_of_second: bool = False  # The vendor is not the one that was asked first for this job.


class Answers:
    """Of several vendors: which of them was asked first for each job."""

    def __init__(self) -> None:
        self._first: dict[str, object] = {}
        self._lock = threading.Lock()

    def is_first(self, vendor: object, job_id: str) -> bool:
        """Say whether it is this vendor; whoever asks first is."""
        with self._lock:
            return self._first.setdefault(job_id, vendor) is vendor


class Vendor(HttpStub):
    """Plays ``plays[n]`` for the n-th request of a job, the last one again and again; a mobile may have its own.

    Vendors with the same ``answers`` play ``plays`` if they are asked first for a job, and ``second_plays`` if not.
    This one speaks as yuntongxun does.
    """

    name = "yuntongxun"
    _replies: ClassVar[Mapping[Reply, bytes]] = {
        reply: response(json.dumps({"statusCode": code}).encode())
        for reply, code in {Reply.BAD_NUMBER: "160042", Reply.BAD_KEY: "160053", Reply.UNLISTED: "179999"}.items()
    } | {
        Reply.BUSY: response(b"{}", "429 Too Many Requests"),
        Reply.HTTP_500: response(b"{}", "500 Internal Server Error"),
        Reply.MALFORMED: response(b"<html>all is well</html>"),
    }

    def __init__(self, *plays: Play, is_idempotent: bool = True, answers: Answers | None = None) -> None:
        super().__init__()
        self.plays = plays or (Play(),)
        self.is_idempotent = is_idempotent
        self.plays_of: dict[str, tuple[Play, ...]] = {}
        self.second_plays_of: dict[str, tuple[Play, ...]] = {}
        self.requests: Counter[str] = Counter()  # By mobile.
        self._answers = answers or Answers()
        self._texts: list[Text] = []
        self._taken: set[str] = set()
        self._tries: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def settings(self) -> dict[str, str]:
        """The variables of sms-service that lead to this vendor."""
        account = {"ACCOUNT_SID": "an-account", "AUTH_TOKEN": "a-token", "APP_ID": "an-app", "URL": self.url}
        return {f"SMS_YUNTONGXUN_{name}": value for name, value in account.items()}

    def texts(self) -> dict[str, list[Text]]:
        """The texts so far, by mobile."""
        found: defaultdict[str, list[Text]] = defaultdict(list)
        with self._lock:
            for text in self._texts:
                found[text.mobile].append(text)
        return found

    def read_order(self, request: Request) -> tuple[str, str, str]:
        """Read mobile, code and job."""
        order = json.loads(request.body)
        return order["to"], order["datas"][0], order["reqId"]

    def accepted(self, *, is_repeated: bool) -> bytes:
        """Answer an order that was taken, now or before."""
        code = "160054" if is_repeated else "000000"
        return response(json.dumps({"statusCode": code, "templateSMS": {"smsMessageSid": "a-sid"}}).encode())

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Treat one order."""
        mobile, code, job_id = self.read_order(request)
        is_first = self._answers.is_first(self, job_id)
        plays = self.plays_of.get(mobile, self.plays) if is_first else self.second_plays_of.get(mobile, (Play(),))
        play = plays[min(self._tries[job_id], len(plays) - 1)]
        self._tries[job_id] += 1
        self.requests[mobile] += 1
        await asyncio.sleep(play.delay_seconds)
        is_repeated = play.texts and self._is_repeated(Text(mobile, code, job_id, not is_first))
        await asyncio.sleep(play.hold_seconds)
        await self._reply(play.reply, self.accepted(is_repeated=is_repeated), writer)

    def _is_repeated(self, text: Text) -> bool:
        """Text, unless this job was texted and the vendor keeps its promise."""
        with self._lock:
            if self.is_idempotent and text.job_id in self._taken:
                return True
            self._taken.add(text.job_id)
            self._texts.append(text)
        return False

    async def _reply(self, reply: Reply, true: bytes, writer: asyncio.StreamWriter) -> None:
        if reply is Reply.RESET:
            writer.transport.abort()
        elif reply is Reply.SLOW_BODY:
            for index in range(0, len(true), 8):
                writer.write(true[index : index + 8])
                await writer.drain()
                await asyncio.sleep(_SLOW_PIECE_SECONDS)
        else:
            writer.write(true if reply is Reply.TRUE else self._replies[reply])


class WebhookVendor(Vendor):
    """The receiver of an operator; its words are HTTP statuses."""

    name = "webhook"
    _replies: ClassVar[Mapping[Reply, bytes]] = {
        Reply.BAD_NUMBER: response(b"", "422 Unprocessable Content"),
        Reply.BAD_KEY: response(b"", "401 Unauthorized"),
        Reply.UNLISTED: response(b"", "418 I'm a Teapot"),
        Reply.BUSY: response(b"", "429 Too Many Requests"),
        Reply.HTTP_500: response(b"", "500 Internal Server Error"),
        Reply.MALFORMED: response(b"<html>all is well</html>", "502 Bad Gateway"),
    }

    @property
    def settings(self) -> dict[str, str]:
        return {"SMS_WEBHOOK_URL": self.url, "SMS_WEBHOOK_KEY": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}

    def read_order(self, request: Request) -> tuple[str, str, str]:
        order = json.loads(request.body)
        return order["to"].removeprefix("+86"), order["params"][0], order["id"]

    def accepted(self, *, is_repeated: bool) -> bytes:
        return response(b"{}", "409 Conflict" if is_repeated else "202 Accepted")


class AliyunVendor(Vendor):
    """aliyun, which takes no idempotency key; ``settings`` lack `TEMPLATES` as a file."""

    name = "aliyun"
    TEMPLATES = '[yuntongxun.zh]\ndefault = "1"\n[aliyun.zh]\ndefault = "SMS_1"\n'
    _replies: ClassVar[Mapping[Reply, bytes]] = {
        Reply.BAD_KEY: response(b'{"Code": "InvalidAccessKeyId.NotFound"}', "404 Not Found")
    }

    @property
    def settings(self) -> dict[str, str]:
        account = {"ACCESS_KEY_ID": "an-id", "ACCESS_KEY_SECRET": "a-secret", "SIGN_NAME": "a-sign", "URL": self.url}
        return {f"SMS_ALIYUN_{name}": value for name, value in account.items()}

    def read_order(self, request: Request) -> tuple[str, str, str]:
        order = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        return order["PhoneNumbers"], json.loads(order["TemplateParam"])["code"], order["OutId"]

    def accepted(self, *, is_repeated: bool) -> bytes:
        return response(b'{"Code": "OK", "BizId": "a-biz"}')


class PassingCaptchas(HttpStub):
    """Plays captcha-service: every answer to every captcha is right."""

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Pass."""
        writer.write(response(b'{"passed": true}'))
