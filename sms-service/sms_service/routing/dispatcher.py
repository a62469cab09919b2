"""Hands one text to one provider: waits for a gate to open, asks, and turns to the next one after a plain refusal."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random, SystemRandom

from redis import Redis

from sms_service import metrics
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.templates import Templates
from sms_service.providers.factory import make_provider
from sms_service.providers.provider import Outcome, OutgoingSms, Provider, ProviderAnswer
from sms_service.queue.job import SendJob
from sms_service.routing.breaker import GateClosed, Gates, ProviderHealth, Send
from sms_service.routing.routes import Pace, Routes, in_order, shares_for
from sms_service.settings import Settings
from sms_service.worker.job_states import Claimed
from sms_service.worker.retry import Insist, once

_LONGEST_PAUSE_SECONDS = 1.0
NO_PROVIDER = ProviderAnswer(Outcome.NOT_SENT, "no_provider")
NO_TEMPLATE = ProviderAnswer(Outcome.REFUSED_CONFIG, "no_template")


@dataclass(frozen=True)
class Dispatched:
    """Who answered last, and what; ``provider`` is empty if nobody could be asked in time."""

    provider: str
    answer: ProviderAnswer


class Dispatcher:
    """All providers of a worker, with their gates. Threads share it."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        routes: Routes,
        gates: Gates,
        health: ProviderHealth,
        *,
        insist: Insist = once,
        random: Random | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.providers = providers
        self._routes = routes
        self._gates = gates
        self._health = health
        self._insist = insist
        self._random = random or SystemRandom()
        self._monotonic = monotonic

    def order(self, claimed: Claimed) -> Sequence[str]:
        """Choose whom to ask, the first one first. What may have been texted is repeated by its own provider alone."""
        if claimed.provider:
            return [claimed.provider]
        shares = shares_for(self._routes, claimed.country)
        if len(shares) < 2:
            return list(shares)
        states = self._insist(lambda: self._health.states(shares))
        return in_order(shares, {name: state.health for name, state in states.items()}, self._random)

    def send(
        self,
        job: SendJob,
        sms: OutgoingSms,
        claimed: Claimed,
        *,
        patience_seconds: float,
        pause: Callable[[float], None],
    ) -> Dispatched:
        """Hand the text over and return the last answer.

        While no provider may be asked, ``pause`` is called with the seconds to wait, up to the patience in all; what
        it raises passes through, and nobody was texted.

        Raises:
            JobOver, JobTaken: the job is not ours any more.
            TextsStopped: the kill switch is on.
        """
        order = self.order(claimed)
        # Who has no template for it is never asked, so its gate learns nothing of it either.
        names = [name for name in order if self.providers[name].carries(sms.purpose)]
        if order and not names:
            metrics.NO_TEMPLATES.inc()
            return Dispatched("", NO_TEMPLATE)
        last = Dispatched("", NO_PROVIDER)
        end = self._monotonic() + patience_seconds
        while names:
            entered = self._enter(job, names, is_repetition=bool(claimed.provider), end=end, pause=pause)
            if entered is None:
                break
            last = Dispatched(entered.provider, self._ask(entered, sms))
            if not last.answer.outcome.lets_others_try:
                break
            names.remove(entered.provider)
            if names:
                metrics.FAILOVERS.labels(entered.provider).inc()
        return last

    def _enter(
        self, job: SendJob, names: Sequence[str], *, is_repetition: bool, end: float, pause: Callable[[float], None]
    ) -> Send | None:
        while True:
            waits = [_LONGEST_PAUSE_SECONDS]
            for name in names:
                send = Send(job, name, is_repetition)
                try:
                    self._insist(lambda send=send: self._gates.enter(send))  # type: ignore[misc]
                except GateClosed as closed:
                    waits.append(closed.wait_seconds)
                else:
                    return send
            if self._monotonic() + min(waits) > end:
                return None
            pause(min(waits))

    def _ask(self, send: Send, sms: OutgoingSms) -> ProviderAnswer:
        begun_at = self._monotonic()
        answer = self.providers[send.provider].send(sms)
        metrics.PROVIDER_SECONDS.labels(send.provider).observe(self._monotonic() - begun_at)
        metrics.PROVIDER_ANSWERS.labels(send.provider, answer.outcome.value, answer.code).inc()
        self._insist(lambda: self._gates.leave(send, answer))
        return answer

    def close(self) -> None:
        """Let go of the providers' connections."""
        for provider in self.providers.values():
            provider.close()


def make_dispatcher(
    settings: Settings, redis: Redis, keys: CodeKeys, templates: Templates, *, insist: Insist
) -> Dispatcher:
    """Make the dispatcher of a worker, with one client for each provider that the routes name."""
    providers = {name: make_provider(name, settings, redis, keys, templates) for name in settings.providers}
    pace = Pace(settings.provider_sends_per_second, settings.provider_parallel_sends)
    gates = Gates(redis, {name: settings.provider_paces.get(name, pace) for name in providers})
    return Dispatcher(providers, settings.routes, gates, ProviderHealth(redis), insist=insist)
