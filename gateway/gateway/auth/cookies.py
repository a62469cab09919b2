"""The cookies of a browser's session: names, reading, setting, clearing."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

from pydantic import BaseModel, Field
from werkzeug.http import dump_cookie

from gateway.proxy.request import ProxyRequest

ASKING_PARAMETER = "cookies"
# The name and the form of refresh cookies before they were called after us. Another program of the same host may have
# an ``rt`` too, of another form.
_OLD_REFRESH_NAME = "rt"
_OLD_REFRESH_FORM = re.compile(r"[0-9a-f]{32}\.[0-9]{1,9}\.[A-Za-z0-9_-]{43}")


class Tokens(BaseModel):
    """What user-service answers when a session starts or is renewed."""

    access_token: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,4096}$")
    refresh_token: str = Field(pattern=r"^[A-Za-z0-9_.~+/=-]{1,512}$")
    expires_in: int = Field(ge=1)


@dataclass(frozen=True)
class CookieSession:
    """The two cookies that came with a request; either may be empty."""

    access_token: str
    refresh_token: str
    is_old: bool = False  # It came under the names of before.

    @property
    def is_present(self) -> bool:
        """Whether the request came with a session at all, alive or not."""
        return bool(self.access_token or self.refresh_token)


class SessionCookies:
    """Both cookies are HttpOnly and ``SameSite=Lax``, so that a user who follows a link from elsewhere is signed in.

    Their names are our own, because all programs on all ports of a host share one cookie jar (RFC 6265 8.5). A session
    under the names of before, ``at`` and ``rt``, goes on by its refresh token and then stands under the new names.
    With ``is_secure`` they carry the prefix ``__Host-`` (RFC 6265bis 4.1.3): no other host can set them. The access
    cookie goes when its token expires, because nobody can use an expired token.
    """

    def __init__(self, *, is_secure: bool, session_days: int) -> None:
        prefix = "__Host-" if is_secure else ""
        self.access_name = prefix + "xinjing_at"
        self.refresh_name = prefix + "xinjing_rt"
        self._old_refresh_name = prefix + _OLD_REFRESH_NAME
        self.is_secure = is_secure
        self._session_seconds = session_days * 86_400

    def read_session(self, header: str) -> CookieSession:
        """Find the session in a Cookie header; of two cookies with one name the first counts."""
        values: dict[str, str] = {}
        for part in header.split(";"):
            name, _, value = part.strip().partition("=")
            values.setdefault(name, value)
        session = CookieSession(values.get(self.access_name, ""), values.get(self.refresh_name, ""))
        old_refresh_token = values.get(self._old_refresh_name, "")
        if not session.is_present and _OLD_REFRESH_FORM.fullmatch(old_refresh_token):
            return CookieSession("", old_refresh_token, is_old=True)
        return session

    def are_wanted(self, request: ProxyRequest) -> bool:
        """Say whether an answer to this request may set or clear the cookies of a session.

        A browser says where a request comes from, or has cookies of ours already; beside a bearer token those are
        ignored here too. Another client must ask by ``?cookies=true``: an app with a cookie jar would send cookies that
        it never wanted, and be asked for an origin.
        """
        if request.header("Sec-Fetch-Site") or request.header("Origin"):
            return True
        if not request.header("Authorization") and self.read_session(request.header("Cookie")).is_present:
            return True
        return parse_qs(request.target.query).get(ASKING_PARAMETER) == ["true"]

    def without_session(self, header: str) -> str:
        """Return a Cookie header without the session."""
        return "; ".join(part for part in map(str.strip, header.split(";")) if part and not self._is_ours(part))

    def is_of_session(self, set_cookie: str) -> bool:
        """Say whether a Set-Cookie value is of a session of ours, which no other program may start or end."""
        # Browsers drop blanks around a name, and send a cookie without a name as its value alone (RFC 6265bis 5.6).
        name, _, value = set_cookie.partition(";")[0].strip("= \t").partition("=")
        return self._is_ours(f"{name.strip()}={value.strip()}")

    def write_session(self, tokens: Tokens, request: ProxyRequest) -> list[str]:
        """Write the Set-Cookie values of a session that starts or goes on, in answer to a request."""
        return [
            self._write_cookie(self.access_name, tokens.access_token, tokens.expires_in),
            self._write_cookie(self.refresh_name, tokens.refresh_token, self._session_seconds),
            *self._clear_old(request),
        ]

    def clear_session(self, request: ProxyRequest) -> list[str]:
        """Write the Set-Cookie values that end a session in the browser, in answer to a request."""
        names = (self.access_name, self.refresh_name)
        return [*(self._write_cookie(name, "", 0) for name in names), *self._clear_old(request)]

    def _is_ours(self, part: str) -> bool:
        name, _, value = part.partition("=")
        is_old = name == self._old_refresh_name and _OLD_REFRESH_FORM.fullmatch(value) is not None
        return is_old or name in (self.access_name, self.refresh_name)

    def _clear_old(self, request: ProxyRequest) -> list[str]:
        is_old = self.read_session(request.header("Cookie")).is_old
        return [self._write_cookie(self._old_refresh_name, "", 0)] if is_old else []

    def _write_cookie(self, name: str, value: str, max_age_seconds: int) -> str:
        return dump_cookie(
            name,
            value,
            max_age=max_age_seconds,
            secure=self.is_secure,
            httponly=True,
            samesite="Lax",
            sync_expires=False,
            max_size=0,  # No warning about the size: `Tokens` bounds it.
        )
