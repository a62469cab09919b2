"""Hands one text to one provider: waits until a provider may be called, and tries the next one after a refusal."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random, SystemRandom

from redis import Redis
from tenacity import Retrying

from sms_service import metrics
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.templates import Templates
from sms_service.providers.factory import make_provider
from sms_service.providers.provider import Outcome, OutgoingSms, Provider, ProviderAnswer
from sms_service.queue.job import SendJob
from sms_service.routing.breaker import CircuitBreaker, CircuitOpen, ProviderHealth, Send
from sms_service.routing.routes import Pace, Routes, draw_order, shares_for
from sms_service.settings import Settings

_LONGEST_PAUSE_SECONDS = 1.0
NO_PROVIDER = ProviderAnswer(Outcome.NOT_SENT, "no_provider")
NO_TEMPLATE = ProviderAnswer(Outcome.REFUSED_CONFIG, "no_template")


@dataclass(frozen=True)
class Dispatch:
    """A text and its job. ``earlier_provider`` may have texted it already, so no other may; it is empty if none has."""

    job: SendJob
    sms: OutgoingSms
    country: str
    earlier_provider: str = ""


@dataclass(frozen=True)
class DispatchResult:
    """The last provider that was called, and its answer; ``provider`` is empty if none could be called in time."""

    provider: str
    answer: ProviderAnswer


@dataclass(frozen=True, kw_only=True)
class Dispatcher:
    """All providers of a worker, with their breakers. Threads share it; ``retrying`` repeats calls of Redis."""

    providers: Mapping[str, Provider]
    routes: Routes
    breaker: CircuitBreaker
    health: ProviderHealth
    retrying: Retrying
    random: Random = field(default_factory=SystemRandom)
    monotonic: Callable[[], float] = time.monotonic

    def dispatch(
        self, dispatch: Dispatch, *, patience_seconds: float, pause: Callable[[float], None]
    ) -> DispatchResult:
        """Hand a text over and return the last answer.

        While no provider may be called, ``pause`` is called with the seconds to wait, up to ``patience_seconds`` in
        all. An exception of ``pause`` passes through, and nobody was texted.

        Raises:
            JobOver, JobTaken: the job does not belong to this worker any more.
            TextsStopped: the kill switch is on.
        """
        order = self._choose_order(dispatch)
        # A provider without a template for this text is not called, so its breaker records nothing.
        names = [name for name in order if self.providers[name].supports(dispatch.sms.purpose)]
        if order and not names:
            metrics.NO_TEMPLATES.inc()
            return DispatchResult("", NO_TEMPLATE)
        result = DispatchResult("", NO_PROVIDER)
        end = self.monotonic() + patience_seconds
        while names:
            send = self._acquire_any(dispatch, names, end=end, pause=pause)
            if send is None:
                break
            result = DispatchResult(send.provider, self._call_provider(send, dispatch.sms))
            if not result.answer.outcome.lets_others_try:
                break
            names.remove(send.provider)
            if names:
                metrics.FAILOVERS.labels(send.provider).inc()
        return result

    def _choose_order(self, dispatch: Dispatch) -> Sequence[str]:
        if dispatch.earlier_provider:
            return [dispatch.earlier_provider]
        shares = shares_for(self.routes, dispatch.country)
        if len(shares) < 2:
            return list(shares)
        states = self.retrying(self.health.load_states, shares)
        return draw_order(shares, {name: state.health for name, state in states.items()}, self.random)

    def _acquire_any(
        self, dispatch: Dispatch, names: Sequence[str], *, end: float, pause: Callable[[float], None]
    ) -> Send | None:
        while True:
            waits = [_LONGEST_PAUSE_SECONDS]
            for name in names:
                send = Send(dispatch.job, name, is_repetition=bool(dispatch.earlier_provider))
                try:
                    self.retrying(self.breaker.acquire, send)
                except CircuitOpen as error:
                    waits.append(error.wait_seconds)
                else:
                    return send
            if self.monotonic() + min(waits) > end:
                return None
            pause(min(waits))

    def _call_provider(self, send: Send, sms: OutgoingSms) -> ProviderAnswer:
        begun_at = self.monotonic()
        answer = self.providers[send.provider].send_text(sms)
        metrics.PROVIDER_SECONDS.labels(send.provider).observe(self.monotonic() - begun_at)
        metrics.PROVIDER_ANSWERS.labels(send.provider, answer.outcome.value, answer.code).inc()
        self.retrying(self.breaker.record, send, answer)
        return answer

    def close_connections(self) -> None:
        """Close the connections to all providers."""
        for provider in self.providers.values():
            provider.close_connections()


def make_dispatcher(
    settings: Settings, redis: Redis, keys: CodeKeys, templates: Templates, *, retrying: Retrying
) -> Dispatcher:
    """Make the dispatcher of a worker, with one client for each provider that the routes name."""
    providers = {
        name: make_provider(name, settings, redis=redis, keys=keys, templates=templates) for name in settings.providers
    }
    pace = Pace(settings.provider_sends_per_second, settings.provider_parallel_sends)
    return Dispatcher(
        providers=providers,
        routes=settings.routes,
        breaker=CircuitBreaker(redis, {name: settings.provider_paces.get(name, pace) for name in providers}),
        health=ProviderHealth(redis),
        retrying=retrying,
    )
