"""What a worker looks up when Prometheus asks: the queues and the providers, which all workers share."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis import Redis
from structlog import get_logger

from chassis.errors import DependencyUnavailable
from chassis.redis_client import redis_errors
from sms_service.codes.keys import WAITING_KEY
from sms_service.queue.interface import InspectionFailed, QueueInspection
from sms_service.routing.breaker import ProviderHealth


class Backlog:
    """The requests that no worker has claimed yet, as RESERVE wrote them down."""

    def __init__(self, redis: Redis, *, code_ttl_seconds: int) -> None:
        self._redis = redis
        self._code_ttl_seconds = code_ttl_seconds

    def oldest_seconds(self) -> float:
        """Return the age of the oldest one whose code still lives; 0 if there is none.

        Raises:
            DependencyUnavailable: Redis is away.
        """
        with redis_errors():
            seconds, microseconds = self._redis.time()
            now = seconds + microseconds / 1e6
            since = (now - self._code_ttl_seconds) * 1000
            # Any: redis-py types the answers of every protocol version; ours is a list of pairs.
            oldest: Any = self._redis.zrange(WAITING_KEY, since, "+inf", byscore=True, offset=0, num=1, withscores=True)
        return max(0.0, now - oldest[0][1] / 1000) if oldest else 0.0


log = get_logger(__name__)


class SharedState(Collector):
    """Gauges that every worker reports alike, so a query takes their maximum. What is away is left out."""

    def __init__(
        self, inspection: QueueInspection, backlog: Backlog, health: ProviderHealth, providers: Sequence[str]
    ) -> None:
        self._inspection = inspection
        self._backlog = backlog
        self._health = health
        self._providers = providers

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name nothing: registering must not connect."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Look now."""
        try:
            yield from self._queues()
            yield self._oldest()
            yield from self._provider_states()
        except (InspectionFailed, DependencyUnavailable) as error:
            log.warning("shared_state_unknown", error=str(error))

    def _queues(self) -> Iterator[GaugeMetricFamily]:
        ready = GaugeMetricFamily("sms_queue_ready", "Messages that wait.", labels=["queue"])
        for name, depth in self._inspection.depths().items():
            ready.add_metric([name], depth)
        yield ready

    def _oldest(self) -> GaugeMetricFamily:
        help_text = "Age of the oldest request that no worker has claimed, of those whose code still lives."
        return GaugeMetricFamily("sms_oldest_pending_seconds", help_text, value=self._backlog.oldest_seconds())

    def _provider_states(self) -> Iterator[GaugeMetricFamily]:
        down = GaugeMetricFamily("sms_breaker_state", "1 while a provider's breaker is open.", labels=["provider"])
        health = GaugeMetricFamily("sms_provider_health", "Scales a provider's weight.", labels=["provider"])
        under_way = GaugeMetricFamily("sms_provider_under_way", "Sends that wait for an answer.", labels=["provider"])
        for name, state in self._health.states(self._providers).items():
            down.add_metric([name], state.down_seconds > 0)
            health.add_metric([name], state.health)
            under_way.add_metric([name], state.under_way)
        yield from (down, health, under_way)
