"""The cookies of a browser's session: names, reading, setting, clearing."""

from dataclasses import dataclass

from pydantic import BaseModel, Field


class Tokens(BaseModel):
    """What user-service answers when a session starts or is renewed."""

    access_token: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,4096}$")
    refresh_token: str = Field(pattern=r"^[A-Za-z0-9_.~+/=-]{1,512}$")
    expires_in: int = Field(ge=1)


@dataclass(frozen=True)
class SessionPair:
    """The two cookies that came with a request; either may be empty."""

    access_token: str
    refresh_token: str

    @property
    def is_present(self) -> bool:
        """Whether the request came with a session at all, alive or not."""
        return bool(self.access_token or self.refresh_token)


class SessionCookies:
    """Both cookies are HttpOnly and ``SameSite=Lax``, so that a link from elsewhere finds the user signed in.

    With ``secure`` they carry the prefix ``__Host-`` (RFC 6265bis 4.1.3): no other host can set them. The access
    cookie goes when its token expires, because a token that no longer opens anything is of no use to anybody.
    """

    def __init__(self, *, secure: bool, session_days: int) -> None:
        prefix = "__Host-" if secure else ""
        self.access_name = prefix + "at"
        self.refresh_name = prefix + "rt"
        self.is_secure = secure
        self._session_seconds = session_days * 86_400

    def read(self, header: str) -> SessionPair:
        """Find the session in a Cookie header; of two cookies with one name the first counts."""
        found: dict[str, str] = {}
        for part in header.split(";"):
            name, _, value = part.strip().partition("=")
            found.setdefault(name, value)
        return SessionPair(found.get(self.access_name, ""), found.get(self.refresh_name, ""))

    def others(self, header: str) -> str:
        """Return a Cookie header without the session."""
        ours = (self.access_name, self.refresh_name)
        parts = [part.strip() for part in header.split(";")]
        return "; ".join(part for part in parts if part and part.partition("=")[0] not in ours)

    def signed_in(self, tokens: Tokens) -> list[str]:
        """Write the Set-Cookie values of a session that starts or goes on."""
        return [
            self._write(self.access_name, tokens.access_token, tokens.expires_in),
            self._write(self.refresh_name, tokens.refresh_token, self._session_seconds),
        ]

    def signed_out(self) -> list[str]:
        """Write the Set-Cookie values that end a session in the browser."""
        return [self._write(self.access_name, "", 0), self._write(self.refresh_name, "", 0)]

    def _write(self, name: str, value: str, max_age_seconds: int) -> str:
        secure = "; Secure" if self.is_secure else ""
        return f"{name}={value}; Max-Age={max_age_seconds}; Path=/; HttpOnly; SameSite=Lax{secure}"
