"""The forwarding rules: which requests the gateway forwards, to which service, from whom; and the table of them.

**What is forwarded without a token?** Requests with a rule that says PUBLIC (the gateway reads no token) or OPTIONAL
(the gateway uses a token if there is one). All others need a token. A request without a rule is not forwarded:
it gets 404, or 405 if the path has a rule for another method. ``/internal`` is refused before the rules are read.
Our rules stand in ``routes.yaml``. `OWN_PATHS` are what the gateway answers itself, for everybody.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from chassis.errors import RequestRefused
from chassis.web import MAX_BODY_BYTES, Access
from gateway.proxy.request import Target
from gateway.routing.paths import PathIndex, canonical, shape_of


class Service(enum.StrEnum):
    """Our own services behind the gateway, as the internal token names them."""

    CAPTCHA = "captcha-service"
    SMS = "sms-service"
    USER = "user-service"
    NEWS = "news-service"


OUR_SERVICES: frozenset[str] = frozenset(Service)


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
class RouteLimit:
    """What is counted per user, or per address of the client, for all methods of one route."""

    route: str
    per_user: bool
    amount: int
    window_seconds: int


@dataclass(frozen=True)
class Rule:
    """One public operation. ``path`` is a template, see `paths`; an empty ``role`` is that of ``access``.

    ``cache_seconds`` is how long the micro-cache keeps answers that say nothing about caching themselves.
    """

    method: str
    path: str
    service: str
    access: Access
    limit: Limit | RouteLimit | None = None
    effect: Effect = Effect.NONE
    body_cap_bytes: int = MAX_BODY_BYTES
    role: str = ""
    recent_seconds: int = 0
    cache_seconds: int = 0

    @property
    def name(self) -> str:
        """The rule in logs and metrics."""
        return f"{self.method} {self.path}"

    @property
    def is_cacheable(self) -> bool:
        """Whether its answers may be everybody's, so that the micro-cache looks at them."""
        is_read = self.method == "GET" and self.effect is Effect.NONE
        return is_read and self.access in (Access.PUBLIC, Access.OPTIONAL)

    @property
    def is_ours(self) -> bool:
        """Whether the request goes to a service of ours."""
        return self.service in OUR_SERVICES


# What the Flask app answers, whatever a routes file says.
OWN_PATHS = (
    *("/healthz", "/readyz", "/auth", "/docs/**", "/inbox/**", "/passport/**", "/internal/**"),
    *("/api/v1/openapi.json", "/.well-known/gateway-jwks.json"),
)
_NO_RULES: dict[str, Rule] = {}
# Its pages for people.
OWN_PAGES = frozenset({"/docs", "/inbox"})
# Programs ask for these, whatever they say that they accept.
_NOT_PAGES = ("/api/", "/passport/", "/static/", "/.well-known/", "/inbox/messages", "/healthz", "/readyz")


def is_page_path(path: str) -> bool:
    """Say whether an address may belong to a page for people, known or not."""
    return not f"/{path.strip('/')}/".startswith(_NOT_PAGES)


class RuleTable:
    """Finds the rules of a path, the most specific template first (see `paths`). It never changes, so threads share it.

    ``rules`` are those of our services. They and `OWN_PATHS` come before all ``foreign`` rules of the operator,
    whatever templates those have: no routes file can take a path of ours away.
    """

    def __init__(self, rules: Iterable[Rule], foreign: Iterable[Rule] = ()) -> None:
        self.rules = tuple(rules)
        self.foreign_rules = tuple(foreign)
        self._own_rules: dict[str, dict[str, Rule]] = {path: {} for path in OWN_PATHS} | _by_path(self.rules)
        self._foreign_rules = _by_path(self.foreign_rules)
        self._own = PathIndex({path: path for path in self._own_rules})
        self._foreign = PathIndex({path: path for path in self._foreign_rules})
        self._lenient_own = PathIndex({canonical(path): path for path in self._own_rules})
        self._lenient_foreign = PathIndex({canonical(path): path for path in self._foreign_rules})

    def rules_of(self, path: str) -> dict[str, Rule]:
        """Return the rules of a path by method; an empty dictionary if no rule names it."""
        own = self._own.find(path)
        if own is not None:
            return self._own_rules[own]
        foreign = self._foreign.find(path)
        return _NO_RULES if foreign is None else self._foreign_rules[foreign]

    def rule_for(self, service: str, method: str, template: str) -> Rule | None:
        """Return the rule that leads an operation of a service's document there; None if no request reaches it.

        A placeholder belongs to placeholders and prefixes alone: ``/orders/{day}`` is not the route ``/orders/today``.
        """
        shape = shape_of(template)
        try:
            rule = self.find_rules(Target(shape, shape)).get(method.upper())
        except RequestRefused:
            return None
        return rule if rule is not None and rule.service == service else None

    def own_path_like(self, path: str) -> str | None:
        """Return the template of ours to which a path belongs if it is read leniently (`paths.canonical`), or None."""
        return self._lenient_own.find(canonical(path))

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
            RequestRefused: a service could read the path as another one, for which another rule holds: a character is
                encoded without need; or, on the way to a foreign service, case, doubled slashes and the like differ.
        """
        by_method = self.rules_of(target.path)
        if "%" in target.path and self.rules_of(target.decoded_path) is not by_method:
            raise RequestRefused("The path is encoded in an ambiguous way.")
        if self._foreign_rules and by_method and not next(iter(by_method.values())).is_ours:
            return self._check_foreign(target, by_method)
        return by_method

    def _check_foreign(self, target: Target, by_method: dict[str, Rule]) -> dict[str, Rule]:
        path = canonical(target.decoded_path)
        if self._lenient_own.find(path) is not None:
            return _NO_RULES  # What looks like a path of ours is ours: a page with too many slashes, or nothing.
        lenient = self._lenient_foreign.find(path)
        if lenient is None or self._foreign_rules[lenient] is not by_method:
            raise RequestRefused("The path is written in an ambiguous way.")
        return by_method


def _by_path(rules: Iterable[Rule]) -> dict[str, dict[str, Rule]]:
    """Group rules by template and method; HEAD follows GET."""
    found: dict[str, dict[str, Rule]] = {}
    for rule in rules:
        by_method = found.setdefault(rule.path, {})
        if rule.method in by_method:
            raise ValueError(f"two rules for {rule.name}")
        by_method[rule.method] = rule
        if rule.method == "GET":
            by_method["HEAD"] = rule
    return found
