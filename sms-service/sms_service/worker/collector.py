"""What a worker looks up when Prometheus asks: the queues and the providers, which all workers share."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis import Redis
from structlog import get_logger

from chassis.errors import DependencyUnavailable
from sms_service.queue.interface import InspectionFailed, QueueInspection
from sms_service.queue.workers import load_workers
from sms_service.routing.breaker import ProviderHealth

log = get_logger(__name__)


@dataclass(frozen=True, eq=False)  # The registry keeps collectors in a dictionary.
class SharedState(Collector):
    """Gauges that every worker reports alike, so a query takes their maximum. What cannot be read is left out."""

    inspection: QueueInspection
    redis: Redis
    providers: Sequence[str]

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return nothing: registering must not connect."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read all gauges."""
        try:
            yield from self._queues()
            yield self._oldest()
            yield from self._provider_states()
        except (InspectionFailed, DependencyUnavailable) as error:
            log.warning("shared_state_unknown", error=str(error))

    def _queues(self) -> Iterator[GaugeMetricFamily]:
        ready = GaugeMetricFamily("sms_queue_ready", "Messages that wait.", labels=["queue"])
        for name, depth in self.inspection.depths().items():
            ready.add_metric([name], depth)
        yield ready

    def _oldest(self) -> GaugeMetricFamily:
        help_text = "Age of the oldest request that no worker has claimed, of those whose code still lives."
        return GaugeMetricFamily("sms_oldest_pending_seconds", help_text, value=load_workers(self.redis).oldest_seconds)

    def _provider_states(self) -> Iterator[GaugeMetricFamily]:
        down = GaugeMetricFamily("sms_breaker_state", "1 while a provider's breaker is open.", labels=["provider"])
        health = GaugeMetricFamily(
            "sms_provider_health",
            "Share of the attempts of the last two minutes that did not fail; scales a provider's weight.",
            labels=["provider"],
        )
        in_flight = GaugeMetricFamily("sms_provider_under_way", "Sends that wait for an answer.", labels=["provider"])
        for name, state in ProviderHealth(self.redis).load_states(self.providers).items():
            down.add_metric([name], state.down_seconds > 0)
            health.add_metric([name], state.health)
            in_flight.add_metric([name], state.in_flight)
        yield from (down, health, in_flight)
