"""Whether a text can arrive in time. A request is refused before its captcha and its limits if it cannot."""

import enum
from dataclasses import dataclass

from redis import Redis

from chassis.errors import SmsUnavailable
from chassis.redis_client import redis_errors
from sms_service import metrics
from sms_service.queue.workers import WorkersState, load_workers, parse_workers, request_workers
from sms_service.routing.breaker import are_down, parse_states, request_states
from sms_service.routing.routes import Routes, shares_for


class Obstacle(enum.StrEnum):
    """Why no text can arrive in time; the values are labels of a metric."""

    NO_WORKER = "no_worker"
    BACKLOG = "backlog"
    PROVIDERS_DOWN = "providers_down"


# A worker starts within seconds; a backlog and a provider take longer.
_RETRY_AFTER_SECONDS = {Obstacle.NO_WORKER: 10, Obstacle.BACKLOG: 30, Obstacle.PROVIDERS_DOWN: 30}


class NotDeliverable(SmsUnavailable):
    """A text would come too late or never; ``obstacle`` says why."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(retry_after_seconds=_RETRY_AFTER_SECONDS[obstacle])
        self.obstacle = obstacle


@dataclass(frozen=True, kw_only=True)
class Deliverability:
    """Knows from the workers, the backlog, the routes and the breakers whether a text can arrive in time.

    Both methods raise `DependencyUnavailable` when Redis is away.
    """

    redis: Redis
    routes: Routes
    code_ttl_seconds: int

    def check(self, country: str) -> None:
        """Return if a text to a country can arrive in time; this takes one round trip.

        A provider that is due to be tried again counts as working: only a send can find out that it does.

        Raises:
            NotDeliverable: no worker is alive, the oldest request has waited for a third of a code's life, or all
                providers of the country have been down for half of it.
        """
        providers = list(shares_for(self.routes, country))
        with redis_errors(), self.redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            request_workers(pipeline)
            request_states(pipeline, providers)
            (seconds, microseconds), alive, oldest, *replies = pipeline.execute()
        now_ms = seconds * 1000 + microseconds / 1000
        obstacle = self._find_obstacle(parse_workers(alive, oldest, now_ms=now_ms))
        states = parse_states(providers, replies, now_ms=now_ms)
        if obstacle is None and are_down(states.values(), for_seconds=self.code_ttl_seconds / 2):
            obstacle = Obstacle.PROVIDERS_DOWN
        if obstacle is not None:
            metrics.NOT_DELIVERABLE.labels(obstacle.value).inc()
            raise NotDeliverable(obstacle)

    def check_workers(self) -> None:
        """Return if a worker is alive and keeps up with the requests.

        Raises:
            NotDeliverable: as `check`, whatever the providers do.
        """
        if obstacle := self._find_obstacle(load_workers(self.redis)):
            raise NotDeliverable(obstacle)

    def _find_obstacle(self, workers: WorkersState) -> Obstacle | None:
        metrics.WORKERS_ALIVE.set(workers.alive)
        if not workers.alive:
            return Obstacle.NO_WORKER
        return Obstacle.BACKLOG if workers.oldest_seconds > self.code_ttl_seconds / 3 else None
