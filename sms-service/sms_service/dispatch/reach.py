"""Whether a text can get anywhere: asked before a captcha is spent and a code is promised."""

from sms_service.dispatch.health import ProviderHealth
from sms_service.dispatch.routing import Routes, shares_for


class Reach:
    """Knows the routes and how their providers are doing."""

    def __init__(self, routes: Routes, health: ProviderHealth, *, patience_seconds: float) -> None:
        self._routes = routes
        self._health = health
        self._patience_seconds = patience_seconds

    def reaches(self, country: str) -> bool:
        """Say whether some provider of a country works, was there lately, or is due to be tried.

        A promise while all have been down for longer than the patience would end in a text that comes too late. The
        one that is due lets a request through, as nobody would ever find out otherwise that it is back.

        Raises:
            DependencyUnavailable: Redis is away.
        """
        return not self._health.are_down(shares_for(self._routes, country), for_seconds=self._patience_seconds)
