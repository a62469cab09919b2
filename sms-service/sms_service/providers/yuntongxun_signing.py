"""How yuntongxun knows us: account, signature and Authorization header.

Source: console.yuntongxun.com/doc/rest/sms/3_2_2_2.html, by way of the SMS note, section 3.1.
"""

import base64
import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class YuntongxunAccount:
    """The credentials."""

    sid: str
    auth_token: str
    app_id: str


def signature(account: YuntongxunAccount, timestamp: str) -> str:
    """Compute ``sig``: upper-case hex MD5 of sid, token and ``yyyyMMddHHmmss``. MD5 is the vendor's choice."""
    text = account.sid + account.auth_token + timestamp
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def authorization(account: YuntongxunAccount, timestamp: str) -> str:
    """Compute the ``Authorization`` header, which has no scheme."""
    return base64.b64encode(f"{account.sid}:{timestamp}".encode()).decode()
