"""The provider yuntongxun (容联云): TemplateSMS, as its documentation says.

Source: console.yuntongxun.com/doc/rest/sms/3_2_2_2.html, by way of the SMS note, section 3.1.
"""

import json
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import urllib3
from structlog import get_logger
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    SSLError,
)

from sms_service.providers.outcomes import Outcome, ProviderAnswer
from sms_service.providers.provider import OutgoingSms
from sms_service.providers.yuntongxun_codes import ALERTING, outcome_of
from sms_service.providers.yuntongxun_signing import YuntongxunAccount, authorization, signature

log = get_logger(__name__)
# China has one zone and no summer time; a fixed offset needs no zone files in a container.
BEIJING = timezone(timedelta(hours=8))
_CONNECT_SECONDS, _READ_SECONDS, _TOTAL_SECONDS = 2.0, 5.0, 8.0
_MOST_BYTES = 64 * 1024
_KEEP_ALIVE = [*urllib3.connection.HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]


class Yuntongxun:
    """One client per process: a keep-alive pool, no redirects, no retries of its own."""

    name = "yuntongxun"

    def __init__(
        self,
        address: str,
        account: YuntongxunAccount,
        *,
        pool_size: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        read_seconds: float = _READ_SECONDS,
    ) -> None:
        self._url = f"{address.rstrip('/')}/2013-12-26/Accounts/{account.sid}/SMS/TemplateSMS"
        self._account = account
        self._clock = clock
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_seconds)
        self._pool = urllib3.PoolManager(
            1, maxsize=pool_size, block=False, retries=False, timeout=timeout, socket_options=_KEEP_ALIVE
        )

    def send(self, sms: OutgoingSms) -> ProviderAnswer:
        """Hand a text over, as `Provider.send`; ``reqId`` is the job's id."""
        timestamp = self._clock().astimezone(BEIJING).strftime("%Y%m%d%H%M%S")
        try:
            status, body = self._post(timestamp, json.dumps(self._order(sms), separators=(",", ":")).encode())
        except (NewConnectionError, ConnectTimeoutError, SSLError) as error:
            return ProviderAnswer(Outcome.NOT_SENT, type(error).__name__)
        except (HTTPError, TimeoutError) as error:
            return ProviderAnswer(Outcome.UNCERTAIN, type(error).__name__)
        if status == 429:
            return ProviderAnswer(Outcome.REFUSED_BUSY, "http_429")
        if status != 200:
            return ProviderAnswer(Outcome.UNCERTAIN, f"http_{status}")
        return _read(body)

    def _order(self, sms: OutgoingSms) -> dict[str, object]:
        return {
            "to": sms.mobile.removeprefix("+86"),
            "appId": self._account.app_id,
            "templateId": self._account.template_id,
            "datas": [sms.code, str(sms.valid_minutes)],
            "reqId": sms.job_id,
        }

    def _post(self, timestamp: str, body: bytes) -> tuple[int, bytes]:
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json;charset=utf-8",
            "Authorization": authorization(self._account, timestamp),
        }
        url = f"{self._url}?sig={signature(self._account, timestamp)}"
        end = time.monotonic() + _TOTAL_SECONDS
        answer = self._pool.request("POST", url, body=body, headers=headers, redirect=False, preload_content=False)
        try:
            read = b""
            while piece := answer.read1(_MOST_BYTES):
                read += piece
                if len(read) > _MOST_BYTES or time.monotonic() > end:
                    answer.close()
                    raise TimeoutError("the answer does not end")
        finally:
            answer.release_conn()
        return answer.status, read

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:
        """Say whether both times are on one day in Beijing, as the vendor forgets its reqIds at midnight."""
        return first_sent_at.astimezone(BEIJING).date() == at.astimezone(BEIJING).date()

    def close(self) -> None:
        """Close the pool."""
        self._pool.clear()


def _read(body: bytes) -> ProviderAnswer:
    try:
        answer = json.loads(body)
        code = str(answer["statusCode"])
    except (ValueError, KeyError, TypeError):
        return ProviderAnswer(Outcome.UNCERTAIN, "unreadable")
    if not (len(code) == 6 and code.isascii() and code.isdigit()):
        return ProviderAnswer(Outcome.UNCERTAIN, "unreadable")
    if code in ALERTING:
        log.error("provider_setup_suspect", provider=Yuntongxun.name, status_code=code)
    details = answer.get("templateSMS") or answer.get("TemplateSMS")  # A known mock spells it so.
    message_id = str(details.get("smsMessageSid", "")).strip() if isinstance(details, dict) else ""
    return ProviderAnswer(outcome_of(code), code, message_id[:64])
