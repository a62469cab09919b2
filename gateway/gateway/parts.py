"""The gateway's parts and what each is made of; app.py puts them to work."""

from dataclasses import dataclass

from redis import Redis

from chassis.identity import GATEWAY, InternalTokens
from chassis.redis_client import connect_redis
from chassis.service_client import READ_TIMEOUT_SECONDS, ServiceClient
from gateway.cookies import SessionCookies
from gateway.credentials import Credentials
from gateway.csrf import SameSite
from gateway.forwarding import Forwarding
from gateway.keys import PublicKeys
from gateway.limits import AddressLimits
from gateway.renewals import Renewals
from gateway.revocations import Revocations
from gateway.rules import Service
from gateway.sessions import Sessions
from gateway.settings import Settings
from gateway.upstream import Timeouts, Upstream
from gateway.verifier import TokenVerifier

# Beyond the longest time that the revocation thread waits inside Redis.
_FEED_TIMEOUT_SECONDS = 3.0
# Beyond the 10 seconds that user-service holds up the login of a mobile with many failures.
_LOGIN_TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True)
class Parts:
    """What one worker process has one of; ``service_clients`` is the control plane, ``forwarding`` the data plane."""

    redis: Redis
    service_clients: dict[Service, ServiceClient]
    keys: PublicKeys
    revocations: Revocations
    forwarding: Forwarding

    def start_threads(self) -> None:
        """Start the two threads of a worker: public keys and revocations."""
        self.keys.start()
        self.revocations.start()

    def stop_threads(self) -> None:
        """End both and wait for them."""
        self.keys.stop()
        self.revocations.stop()


def build_parts(settings: Settings) -> Parts:
    """Build everything once; nothing is connected yet."""
    tokens = InternalTokens(settings.internal_token_key.get_secret_value())
    redis = connect_redis(settings.redis_url.get_secret_value(), timeout_seconds=_FEED_TIMEOUT_SECONDS)
    service_clients = {
        service: ServiceClient(
            address,
            name=service,
            own_name=GATEWAY,
            tokens=tokens,
            read_timeout_seconds=_LOGIN_TIMEOUT_SECONDS if service is Service.USER else READ_TIMEOUT_SECONDS,
        )
        for service, address in _addresses(settings).items()
    }
    users = service_clients[Service.USER]
    keys = PublicKeys(lambda: users.call("GET", "/.well-known/jwks.json"))
    revocations = Revocations(
        redis,
        stale_seconds=settings.revocations_stale_seconds,
        lost_seconds=settings.revocations_lost_seconds,
        on_new_keys=keys.renew,
    )
    cookies = SessionCookies(secure=settings.cookies_secure, session_days=settings.session_days)
    same_site = SameSite(settings.allowed_origins)
    sessions = Sessions(
        verifier=TokenVerifier(keys, issuer=settings.token_issuer, audience=settings.token_audience),
        revocations=revocations,
        renewals=Renewals(users),
        cookies=cookies,
        same_site=same_site,
    )
    forwarding = Forwarding(
        upstreams=_upstreams(settings),
        sessions=sessions,
        cookies=cookies,
        same_site=same_site,
        limits=AddressLimits(settings),
        credentials=Credentials(tokens),
    )
    return Parts(redis, service_clients, keys, revocations, forwarding)


def _addresses(settings: Settings) -> dict[Service, str]:
    return {
        Service.CAPTCHA: settings.captcha_service_url,
        Service.SMS: settings.sms_service_url,
        Service.USER: settings.user_service_url,
        Service.NEWS: settings.news_service_url,
    }


def _upstreams(settings: Settings) -> dict[Service, Upstream]:
    timeouts = Timeouts(
        connect=settings.upstream_connect_seconds,
        read=settings.upstream_read_seconds,
        body=settings.upstream_body_seconds,
    )
    return {service: Upstream(service, address, timeouts=timeouts) for service, address in _addresses(settings).items()}
