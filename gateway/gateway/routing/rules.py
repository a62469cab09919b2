"""The forwarding rules as data: which requests the gateway forwards, to which service, from whom.

**What is forwarded without a token?** Requests with a rule that says PUBLIC (the gateway reads no token) or OPTIONAL
(the gateway uses a token if there is one). SIGNED_IN and ADMIN need a token. A request without a rule is not forwarded:
it gets 404, or 405 if the path has a rule for another method. ``/internal`` is refused before the rules are read.
Beside the rules the gateway answers, for everybody, its own ``/healthz``, ``/readyz``, ``/docs``,
``/api/v1/openapi.json``, ``/inbox`` (with the inbox provider only) and the classic ``/passport/…``; see routes.py.
"""

import enum
import re
from dataclasses import dataclass

from chassis.errors import RequestRefused
from chassis.web import MAX_BODY_BYTES, Access
from gateway.proxy.request import Target

PUBLIC, OPTIONAL, SIGNED_IN, ADMIN = Access.PUBLIC, Access.OPTIONAL, Access.SIGNED_IN, Access.ADMIN


class Service(enum.StrEnum):
    """The services behind the gateway, as the internal token names them."""

    CAPTCHA = "captcha-service"
    SMS = "sms-service"
    USER = "user-service"
    NEWS = "news-service"


class Limit(enum.StrEnum):
    """What is counted per address of the client; `Settings` has ``{limit}_per_ip_per_minute`` for each."""

    CAPTCHAS = "captchas"
    CAPTCHA_SOUNDS = "captcha_sounds"
    SMS_CODES = "sms_codes"
    USERS = "users"
    SESSIONS = "sessions"
    REFRESHES = "refreshes"


class Effect(enum.StrEnum):
    """What a successful answer means for a session, and for its cookies if the client wants cookies."""

    NONE = "none"
    STARTS = "starts"  # A session begins, in place of the session that asks, if there is one.
    REFRESHES = "refreshes"
    ENDS = "ends"


@dataclass(frozen=True)
class Rule:
    """One public operation. In ``path``, ``{name}`` stands for one segment.

    ``cache_seconds`` is how long the micro-cache keeps answers that say nothing about caching themselves.
    """

    method: str
    path: str
    service: Service
    access: Access
    limit: Limit | None = None
    effect: Effect = Effect.NONE
    body_cap_bytes: int = MAX_BODY_BYTES
    cache_seconds: int = 0

    @property
    def name(self) -> str:
        """The rule in logs and metrics."""
        return f"{self.method} {self.path}"

    @property
    def is_cacheable(self) -> bool:
        """Whether its answers may be everybody's, so that the micro-cache looks at them."""
        is_plain = self.method == "GET" and self.limit is None and self.effect is Effect.NONE
        return is_plain and self.access in (PUBLIC, OPTIONAL)


_V1 = "/api/v1"
RULES: tuple[Rule, ...] = (
    Rule("POST", f"{_V1}/captchas", Service.CAPTCHA, PUBLIC, Limit.CAPTCHAS),
    Rule("GET", f"{_V1}/captchas/{{id}}/image", Service.CAPTCHA, PUBLIC),
    Rule("GET", f"{_V1}/captchas/{{id}}/audio", Service.CAPTCHA, PUBLIC, Limit.CAPTCHA_SOUNDS),
    Rule("POST", f"{_V1}/sms-codes", Service.SMS, OPTIONAL, Limit.SMS_CODES),
    Rule("POST", f"{_V1}/sms/receipts/{{provider}}/{{secret}}", Service.SMS, PUBLIC),
    Rule("POST", f"{_V1}/users", Service.USER, PUBLIC, Limit.USERS, Effect.STARTS),
    Rule("GET", f"{_V1}/users/me", Service.USER, SIGNED_IN),
    Rule("PATCH", f"{_V1}/users/me", Service.USER, SIGNED_IN),
    Rule("DELETE", f"{_V1}/users/me", Service.USER, SIGNED_IN, effect=Effect.ENDS),
    Rule("PUT", f"{_V1}/users/me/password", Service.USER, SIGNED_IN),
    Rule("PUT", f"{_V1}/users/me/mobile", Service.USER, SIGNED_IN),
    Rule("PUT", f"{_V1}/users/me/avatar", Service.USER, SIGNED_IN, body_cap_bytes=5 * MAX_BODY_BYTES),
    Rule("DELETE", f"{_V1}/users/me/avatar", Service.USER, SIGNED_IN),
    Rule("GET", f"{_V1}/avatars/{{name}}", Service.USER, PUBLIC),
    Rule("POST", f"{_V1}/password-resets", Service.USER, PUBLIC, Limit.USERS),
    Rule("GET", f"{_V1}/users/{{id}}", Service.USER, PUBLIC),
    Rule("POST", f"{_V1}/sessions", Service.USER, PUBLIC, Limit.SESSIONS, Effect.STARTS),
    Rule("GET", f"{_V1}/sessions", Service.USER, SIGNED_IN),
    Rule("DELETE", f"{_V1}/sessions", Service.USER, SIGNED_IN),
    Rule("DELETE", f"{_V1}/sessions/current", Service.USER, SIGNED_IN, effect=Effect.ENDS),
    Rule("DELETE", f"{_V1}/sessions/{{id}}", Service.USER, SIGNED_IN),
    Rule("POST", f"{_V1}/reauthentications", Service.USER, SIGNED_IN, Limit.SESSIONS, Effect.STARTS),
    Rule("POST", f"{_V1}/tokens/refresh", Service.USER, PUBLIC, Limit.REFRESHES, Effect.REFRESHES),
    Rule("GET", f"{_V1}/admin/users", Service.USER, ADMIN),
    Rule("GET", f"{_V1}/admin/users/{{id}}", Service.USER, ADMIN),
    Rule("GET", f"{_V1}/admin/users/{{id}}/mobile", Service.USER, ADMIN),
    Rule("PUT", f"{_V1}/admin/users/{{id}}/ban", Service.USER, ADMIN),
    Rule("DELETE", f"{_V1}/admin/users/{{id}}/ban", Service.USER, ADMIN),
    Rule("DELETE", f"{_V1}/admin/users/{{id}}/sessions", Service.USER, ADMIN),
    Rule("POST", f"{_V1}/admin/users/{{id}}/password-reset-required", Service.USER, ADMIN),
    Rule("GET", f"{_V1}/admin/audit-events", Service.USER, ADMIN),
    Rule("POST", f"{_V1}/admin/revoke-all", Service.USER, ADMIN),
    Rule("GET", "/.well-known/jwks.json", Service.USER, PUBLIC),
    Rule("GET", f"{_V1}/categories", Service.NEWS, PUBLIC),
    Rule("GET", f"{_V1}/news", Service.NEWS, PUBLIC),
    Rule("GET", f"{_V1}/news/{{id}}", Service.NEWS, OPTIONAL),
    Rule("POST", f"{_V1}/news/{{id}}/views", Service.NEWS, PUBLIC),
    Rule("GET", "/", Service.NEWS, OPTIONAL),
    Rule("GET", "/news/{id}", Service.NEWS, OPTIONAL),
    Rule("GET", "/favicon.ico", Service.NEWS, PUBLIC),
    Rule("GET", "/static/{name}", Service.NEWS, PUBLIC),
)

# The Flask app's pages for people.
OWN_PAGES = frozenset({"/docs", "/inbox"})
# Programs ask for these, whatever they say that they accept.
_NOT_PAGES = ("/api/", "/passport/", "/static/", "/.well-known/", "/inbox/messages", "/healthz", "/readyz")


def is_page_path(path: str) -> bool:
    """Say whether an address may belong to a page for people, known or not."""
    return not f"/{path.strip('/')}/".startswith(_NOT_PAGES)


class RuleTable:
    """Finds the rules of a path; a path written out wins over one with placeholders."""

    def __init__(self, rules: tuple[Rule, ...] = RULES) -> None:
        self._exact: dict[str, dict[str, Rule]] = {}
        self._templates: dict[str, tuple[re.Pattern[str], dict[str, Rule]]] = {}
        for rule in rules:
            by_method = self._collect(rule.path)
            if rule.method in by_method:
                raise ValueError(f"two rules for {rule.name}")
            by_method[rule.method] = rule

    def _collect(self, path: str) -> dict[str, Rule]:
        if "{" not in path:
            return self._exact.setdefault(path, {})
        return self._templates.setdefault(path, (_pattern(path), {}))[1]

    def rules_of(self, path: str) -> dict[str, Rule]:
        """Return the rules of a path by method; an empty dictionary if no rule names it."""
        by_method = self._exact.get(path)
        if by_method is None:
            by_method = next((rules for pattern, rules in self._templates.values() if pattern.fullmatch(path)), {})
        if "GET" in by_method and "HEAD" not in by_method:
            return {**by_method, "HEAD": by_method["GET"]}
        return by_method

    def page_address(self, target: Target) -> str | None:
        """Return the address of the page that a path with doubled or trailing slashes means; None if it means none.

        The address begins with one slash and something else, so that it cannot name another host.
        """
        path = "/" + "/".join(filter(None, target.path.split("/")))
        if path == target.path or not is_page_path(path) or not (path in OWN_PAGES or "GET" in self.rules_of(path)):
            return None
        return path + target.raw.removeprefix(target.path)

    def find_rules(self, target: Target) -> dict[str, Rule]:
        """Return the rules of a request target as `rules_of` does.

        Raises:
            RequestRefused: a character is encoded without need, so that another rule would hold for the decoded path.
        """
        by_method = self.rules_of(target.path)
        if "%" in target.path and self.rules_of(target.decoded_path) != by_method:
            raise RequestRefused("The path is encoded in an ambiguous way.")
        return by_method


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{\w+\}", path)
    return re.compile("[^/]+".join(re.escape(part) for part in parts))
