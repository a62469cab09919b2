"""What the compose file must say about every service, whichever it is."""

from pathlib import Path
from typing import Any

import pytest
import yaml

Container = dict[str, Any]
SERVERS = {"redis", "rabbitmq", "mariadb"}


@pytest.fixture
def containers(root: Path) -> dict[str, Container]:
    """The services of the compose file."""
    services: dict[str, Container] = yaml.safe_load((root / "docker-compose.yml").read_text())["services"]
    return services


def _long_running(containers: dict[str, Container]) -> dict[str, Container]:
    return {
        name: each
        for name, each in containers.items()
        if str(each.get("image", "")).startswith("xinjing/") and each["restart"] == "unless-stopped"
    }


def test_a_service_waits_for_its_own_job_alone(containers: dict[str, Container]) -> None:
    """A service that waited for another one, or for Redis, would be taken down with it."""
    running = _long_running(containers)
    assert len(running) == 6
    for name, each in running.items():
        ((job, wait),) = each["depends_on"].items()
        assert wait == {"condition": "service_completed_successfully"}, name
        # The job reads the same settings, so it ends with 3 where the service would end again and again.
        assert (containers[job]["image"], containers[job]["restart"]) == (each["image"], "no"), name
        assert containers[job]["environment"] == each["environment"], name
        assert containers[job]["volumes"] == each["volumes"], name


def test_a_job_waits_for_secrets_and_its_server_alone(containers: dict[str, Container]) -> None:
    jobs = {job for each in _long_running(containers).values() for job in each["depends_on"]}
    for job in jobs:
        assert set(containers[job]["depends_on"]) <= SERVERS | {"secrets"}, job


def test_a_restarted_server_restarts_nobody(containers: dict[str, Container]) -> None:
    waits = [wait for each in containers.values() for wait in each.get("depends_on", {}).values()]
    assert [wait for wait in waits if "restart" in wait] == []
