"""Fixtures of the providers: a vendor on a socket that checks every signature by itself, and misbehaves on demand."""

import base64
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chassis.mobiles import Mobile
from sms_service.codes.purposes import Language, Purpose
from sms_service.codes.templates import Templates
from sms_service.providers.aliyun import Aliyun, AliyunApi, AliyunKey
from sms_service.providers.aliyun_pnvs import AliyunPnvs
from sms_service.providers.http_client import VendorHttp
from sms_service.providers.provider import OutgoingSms, Provider
from sms_service.providers.tencent import Tencent, TencentApp, TencentKey
from sms_service.providers.twilio import Twilio
from sms_service.providers.webhook import Webhook
from sms_service.providers.yuntongxun import Yuntongxun, YuntongxunAccount

NOW = datetime(2014, 4, 16, 6, 20, 30, tzinfo=UTC)  # 14:20:30 in Beijing.
SECRET = "a secret of the tests, 24 bytes or more"
ACS_HEADERS = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"


class VendorHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "VendorStub"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        if self.server.part.is_genuine(self, body):
            self.server.play(self)
        else:
            self.reply(self.server.part.refusal, self.server.part.refusal_status)

    def reply(self, body: object, status: int = 200, **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(raw)

    def accept(self) -> None:
        self.reply(self.server.part.accepted)

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.close_connection = True
        self.connection.close()

    def keep_silent(self) -> None:
        self.server.released.wait(10)

    def drip(self, *, before: bytes, drop: bytes) -> None:
        """Send something at once, and then for ever a little."""
        self.wfile.write(before)
        while not self.server.released.wait(0.05):
            self.wfile.write(drop)

    def log_message(self, *_arguments: object) -> None:
        pass


@dataclass(frozen=True)
class Part:
    """What a vendor says to a genuine order and to others, and how it knows the one from the other."""

    is_genuine: Callable[[VendorHandler, bytes], bool]
    accepted: object
    refusal: object
    refusal_status: int = 200


class VendorStub(ThreadingHTTPServer):
    """Plays ``part``; ``play`` replaces the answer to genuine orders. ``requests``: path, headers, body."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), VendorHandler)
        self.part = Part(lambda _handler, _body: True, {}, {})
        self.play: Callable[[VendorHandler], None] = VendorHandler.accept
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self.released = threading.Event()

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()

    def handle_error(self, *_arguments: object) -> None:
        """Say nothing: clients that go away are part of the play."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def vendor() -> Iterator[VendorStub]:
    server = VendorStub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def http() -> Iterator[VendorHttp]:
    http = VendorHttp(pool_size=4, answer_seconds=0.4)
    yield http
    http.close_connections()


@pytest.fixture
def make_sms() -> Callable[..., OutgoingSms]:
    """Make the text of the vectors of the vendors, or one like it."""

    def make(**changed: Any) -> OutgoingSms:
        fields: dict[str, Any] = {
            "job_id": "01JD0V9Z3Q8W6T5R4E2Y1K7M0P",
            "mobile": Mobile("+8613800138000"),
            "purpose": Purpose.LOGIN,
            "language": Language.ZH,
            "code": "042619",
            "valid_minutes": 5,
            "text": "[Demo] 042619",
            "left_seconds": 290,
        }
        return OutgoingSms(**(fields | changed))

    return make


@pytest.fixture
def sms(make_sms: Callable[..., OutgoingSms]) -> OutgoingSms:
    return make_sms()


@pytest.fixture
def templates(tmp_path: Path) -> Templates:
    path = tmp_path / "templates.toml"
    path.write_text(
        '[aliyun.zh]\ndefault = "SMS_154950909"\nmobile_changed = "SMS_7"\n'
        '[tencent.zh]\ndefault = "1234"\nlogin = "5678"\npassword_changed = "91011"\n'
        '[yuntongxun.zh]\ndefault = "1"\nmobile_changed = "8"\n'
    )
    return Templates(path)


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _is_signed_for_yuntongxun(handler: VendorHandler, body: bytes) -> bool:
    stamp = "20140416142030"
    sig = hashlib.md5(f"sid{SECRET}{stamp}".encode()).hexdigest().upper()
    return (
        handler.path == f"/2013-12-26/Accounts/sid/SMS/TemplateSMS?sig={sig}"
        and handler.headers["Authorization"] == base64.b64encode(f"sid:{stamp}".encode()).decode()
        and handler.headers["Accept"] == "application/json"
        and handler.headers["Content-Type"] == "application/json;charset=utf-8"
    )


def _is_signed_for_aliyun(handler: VendorHandler, body: bytes) -> bool:
    path, _, query = handler.path.partition("?")
    lines = "".join(f"{name}:{handler.headers[name]}\n" for name in ACS_HEADERS.split(";"))
    canonical = f"POST\n{path}\n{query}\n{lines}\n{ACS_HEADERS}\n{_sha256(body)}"
    signature = _hmac(SECRET.encode(), f"ACS3-HMAC-SHA256\n{_sha256(canonical.encode())}").hex()
    expected = f"ACS3-HMAC-SHA256 Credential=id,SignedHeaders={ACS_HEADERS},Signature={signature}"
    return handler.headers["Authorization"] == expected


def _is_signed_for_aliyun_pnvs(handler: VendorHandler, body: bytes) -> bool:
    required = {"PhoneNumber", "SignName", "TemplateCode", "TemplateParam"}
    return (
        _is_signed_for_aliyun(handler, body)
        and (handler.headers["x-acs-action"], handler.headers["x-acs-version"]) == ("SendSmsVerifyCode", "2017-05-25")
        and parse_qs(urlsplit(handler.path).query).keys() >= required
    )


def _is_signed_for_tencent(handler: VendorHandler, body: bytes) -> bool:
    sent, names = handler.headers, "content-type;host;x-tc-action"
    lines = f"content-type:{sent['Content-Type']}\nhost:{sent['Host']}\nx-tc-action:{sent['X-TC-Action'].lower()}\n"
    canonical = f"POST\n{handler.path}\n\n{lines}\n{names}\n{_sha256(body)}"
    scope = "2014-04-16/sms/tc3_request"
    to_sign = f"TC3-HMAC-SHA256\n{sent['X-TC-Timestamp']}\n{scope}\n{_sha256(canonical.encode())}"
    key = _hmac(_hmac(_hmac(b"TC3" + SECRET.encode(), "2014-04-16"), "sms"), "tc3_request")
    signature = _hmac(key, to_sign).hex()
    expected = f"TC3-HMAC-SHA256 Credential=id/{scope}, SignedHeaders={names}, Signature={signature}"
    return handler.path == "/" and sent["Authorization"] == expected


def _is_signed_for_twilio(handler: VendorHandler, body: bytes) -> bool:
    return (
        handler.path == "/2010-04-01/Accounts/ACsid/Messages.json"
        and handler.headers["Authorization"] == f"Basic {base64.b64encode(f'ACsid:{SECRET}'.encode()).decode()}"
        and handler.headers["Content-Type"] == "application/x-www-form-urlencoded"
    )


def _is_signed_for_webhook(handler: VendorHandler, body: bytes) -> bool:
    sent = handler.headers
    signed = f"{sent['webhook-id']}.{int(NOW.timestamp())}.{body.decode()}"
    return (
        sent["webhook-signature"] == f"v1,{base64.b64encode(_hmac(SECRET.encode(), signed)).decode()}"
        and sent["webhook-timestamp"] == str(int(NOW.timestamp()))
        and sent["Idempotency-Key"] == sent["webhook-id"]
    )


PARTS = {
    "yuntongxun": Part(
        _is_signed_for_yuntongxun,
        {"statusCode": "000000", "templateSMS": {"dateCreated": "20130201155306", "smsMessageSid": "the-message"}},
        {"statusCode": "111109", "statusMsg": "bad signature"},
    ),
    "aliyun": Part(
        _is_signed_for_aliyun,
        {"Code": "OK", "Message": "OK", "RequestId": "r", "BizId": "the-message"},
        {"Code": "SignatureDoesNotMatch", "Message": "…", "RequestId": "r"},
        400,
    ),
    "aliyun_pnvs": Part(
        _is_signed_for_aliyun_pnvs,
        {
            "AccessDeniedDetail": "无",
            "Message": "成功",
            "RequestId": "r",
            "Model": {"RequestId": "m", "OutId": "01JD0V9Z3Q8W6T5R4E2Y1K7M0P", "BizId": "the-message"},
            "Code": "OK",
            "Success": True,
        },
        {"Code": "SignatureDoesNotMatch", "Message": "…", "RequestId": "r"},
        400,
    ),
    "tencent": Part(
        _is_signed_for_tencent,
        {"Response": {"SendStatusSet": [{"SerialNo": "the-message", "Fee": 1, "Code": "Ok"}], "RequestId": "r"}},
        {"Response": {"Error": {"Code": "AuthFailure.SignatureFailure", "Message": "…"}, "RequestId": "r"}},
    ),
    "twilio": Part(
        _is_signed_for_twilio,
        {"sid": "the-message", "status": "queued", "error_code": None},
        {"code": 20003, "message": "Authenticate", "status": 401},
        401,
    ),
    "webhook": Part(_is_signed_for_webhook, {}, {}, 401),
}


@pytest.fixture
def make_provider(vendor: VendorStub, http: VendorHttp, templates: Templates) -> Callable[..., Provider]:
    """Make a provider by name, and have the stub play its vendor."""

    def make(name: str, *, secret: str = SECRET) -> Provider:
        vendor.part = PARTS[name]
        address, clock, app = vendor.address, lambda: NOW, TencentApp("1400006666", "新经")
        aliyun_api = AliyunApi(address, AliyunKey("id", secret), http, clock=clock)
        providers: dict[str, Callable[[], Provider]] = {
            "yuntongxun": lambda: Yuntongxun(
                address, YuntongxunAccount("sid", secret, "app"), http, templates=templates, clock=clock
            ),
            "aliyun": lambda: Aliyun(aliyun_api, sign_name="新经 A*~", templates=templates),
            "aliyun_pnvs": lambda: AliyunPnvs(aliyun_api, sign_name="速通互联验证码", templates=templates),
            "tencent": lambda: Tencent(address, TencentKey("id", secret), app, http, templates=templates, clock=clock),
            "twilio": lambda: Twilio(address, http, account_sid="ACsid", auth_token=secret, sender="+15005550006"),
            "webhook": lambda: Webhook(url=f"{address}/sms?to=us", key=secret.encode(), http=http, clock=clock),
        }
        return providers[name]()

    return make


@pytest.fixture(params=PARTS)
def every_vendor(request: pytest.FixtureRequest, make_provider: Callable[..., Provider]) -> Provider:
    """Each vendor's provider in turn."""
    return make_provider(request.param)
