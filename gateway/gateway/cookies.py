"""The cookies of a browser's session: names, reading, setting, clearing."""

from dataclasses import dataclass
from urllib.parse import parse_qs

from pydantic import BaseModel, Field
from werkzeug.http import dump_cookie

from gateway.proxy_request import ProxyRequest

ASKING_PARAMETER = "cookies"


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

    @property
    def is_present(self) -> bool:
        """Whether the request came with a session at all, alive or not."""
        return bool(self.access_token or self.refresh_token)


class SessionCookies:
    """Both cookies are HttpOnly and ``SameSite=Lax``, so that a user who follows a link from elsewhere is signed in.

    With ``is_secure`` they carry the prefix ``__Host-`` (RFC 6265bis 4.1.3): no other host can set them. The access
    cookie goes when its token expires, because nobody can use an expired token.
    """

    def __init__(self, *, is_secure: bool, session_days: int) -> None:
        prefix = "__Host-" if is_secure else ""
        self.access_name = prefix + "at"
        self.refresh_name = prefix + "rt"
        self.is_secure = is_secure
        self._session_seconds = session_days * 86_400

    def read_session(self, header: str) -> CookieSession:
        """Find the session in a Cookie header; of two cookies with one name the first counts."""
        values: dict[str, str] = {}
        for part in header.split(";"):
            name, _, value = part.strip().partition("=")
            values.setdefault(name, value)
        return CookieSession(values.get(self.access_name, ""), values.get(self.refresh_name, ""))

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
        ours = (self.access_name, self.refresh_name)
        parts = [part.strip() for part in header.split(";")]
        return "; ".join(part for part in parts if part and part.partition("=")[0] not in ours)

    def write_session(self, tokens: Tokens) -> list[str]:
        """Write the Set-Cookie values of a session that starts or goes on."""
        return [
            self._write_cookie(self.access_name, tokens.access_token, tokens.expires_in),
            self._write_cookie(self.refresh_name, tokens.refresh_token, self._session_seconds),
        ]

    def clear_session(self) -> list[str]:
        """Write the Set-Cookie values that end a session in the browser."""
        return [self._write_cookie(self.access_name, "", 0), self._write_cookie(self.refresh_name, "", 0)]

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
