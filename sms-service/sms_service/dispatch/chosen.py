"""Makes the dispatcher that the settings choose."""

from redis import Redis

from sms_service.codes.sealing import CodeKeys
from sms_service.dispatch.dispatcher import Dispatcher
from sms_service.dispatch.gates import Gates
from sms_service.dispatch.health import ProviderHealth
from sms_service.dispatch.routing import Pace
from sms_service.insistence import Insist
from sms_service.providers.chosen import make_provider
from sms_service.settings import Settings
from sms_service.templates import Templates


def make_dispatcher(
    settings: Settings, redis: Redis, keys: CodeKeys, templates: Templates, *, insist: Insist
) -> Dispatcher:
    """Make the dispatcher of a worker, with one client for each provider that the routes name."""
    providers = {name: make_provider(name, settings, redis, keys, templates) for name in settings.providers}
    pace = Pace(settings.provider_sends_per_second, settings.provider_parallel_sends)
    gates = Gates(redis, {name: settings.provider_paces.get(name, pace) for name in providers})
    return Dispatcher(providers, settings.routes, gates, ProviderHealth(redis), insist=insist)
