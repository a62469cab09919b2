"""What the compose file must say about every service, whichever it is."""

import importlib
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

Container = dict[str, Any]
SERVERS = {"redis", "rabbitmq", "mariadb"}
# Who calls whom.
CALLS = {
    "gateway": {"captcha-service", "sms-service", "user-service", "news-service", "redis"},
    "captcha-service": {"redis"},
    "sms-service": {"captcha-service", "redis", "rabbitmq"},
    "sms-worker": {"redis", "rabbitmq"},
    "user-service": {"sms-service", "captcha-service", "redis", "mariadb"},
    "news-service": {"user-service", "redis", "mariadb"},
}
# Browsers come in at the one; the other calls SMS vendors.
REACH_OUT = {"gateway": {"front"}, "sms-worker": {"egress"}}


@pytest.fixture
def compose(root: Path) -> dict[str, Any]:
    """The compose file."""
    read: dict[str, Any] = yaml.safe_load((root / "docker-compose.yml").read_text())
    return read


@pytest.fixture
def containers(compose: dict[str, Any]) -> dict[str, Container]:
    """The services of the compose file."""
    services: dict[str, Container] = compose["services"]
    return services


@pytest.fixture
def check_env(root: Path, tmp_path: Path) -> Callable[..., str]:
    """Check lines of .env as the container `secrets` does, and return what is said; no secret is wrong."""
    for name in ("user-service/user_database_url", "sms-service/sms_code_key"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    command = [sys.executable, root / "deploy" / "check-env", root / "docker-compose.yml", tmp_path]

    def check(**variables: str) -> str:
        given = {"PATH": "/usr/bin", "HOSTNAME": "host", "PYTHON_VERSION": "3.13", **variables}
        done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=20, check=False)
        assert (done.returncode, done.stdout) == (3 if done.stderr else 0, "")
        return done.stderr

    return check


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


def _pairs(compose: dict[str, Any]) -> set[frozenset[str]]:
    """The pairs of services that share a network; a job counts as the first service that waits for it.

    Containers that run on request alone offer nothing; see the test below.
    """
    containers = compose["services"]
    waiting = {job: name for name, each in reversed(_long_running(containers).items()) for job in each["depends_on"]}
    members: dict[str, set[str]] = {name: set() for name in compose["networks"]}
    for name, each in containers.items():
        for network in each.get("networks", ()) if "profiles" not in each else ():
            members[network].add(waiting.get(name, name))
    return {frozenset(pair) for there in members.values() for pair in combinations(there, 2)}


def test_those_share_a_network_who_call_each_other(compose: dict[str, Any]) -> None:
    called = {frozenset((caller, one)) for caller, those in CALLS.items() for one in those}
    assert _pairs(compose) == called


def test_an_import_and_an_export_run_on_request_and_reach_the_databases_alone(
    containers: dict[str, Container],
) -> None:
    on_request = {name: each for name, each in containers.items() if "profiles" in each}
    assert set(on_request) == {"import", "export"}
    for name, each in on_request.items():
        assert (each["networks"], each["user"], each["read_only"]) == (["databases"], "10001:10001", True), name
        assert (each["restart"], each["entrypoint"][-1]) == ("no", name)
        secrets = [volume for volume in each["volumes"] if volume.startswith("./deploy/secrets")]
        assert [volume.split(":")[1] for volume in secrets] == [
            "/run/secrets/user_database_url",
            "/run/secrets/news_database_url",
        ], "it sees no other secret"
        assert "${PWD:-.}:/current:ro" in each["volumes"], name


def test_every_container_names_its_networks(containers: dict[str, Container]) -> None:
    """Else it would be on compose's default network, which leads outside."""
    assert [name for name, each in containers.items() if "networks" not in each and "network_mode" not in each] == []
    assert containers["secrets"]["network_mode"] == "none"


def test_only_the_gateway_and_the_worker_reach_the_outside(compose: dict[str, Any]) -> None:
    outward = {name for name, network in compose["networks"].items() if not (network or {}).get("internal")}
    found = {name: outward & set(each.get("networks", ())) for name, each in compose["services"].items()}
    assert {name: networks for name, networks in found.items() if networks} == REACH_OUT
    assert [name for name, each in compose["services"].items() if "ports" in each] == ["gateway"]


def test_each_service_may_run_several_times(containers: dict[str, Container]) -> None:
    """`docker compose up --scale news-service=2`: nothing of a service may be there only once."""
    for name, each in _long_running(containers).items():
        assert not {"container_name", "hostname"} & set(each), name
        assert not [network for network in each["networks"] if not isinstance(network, str)], name  # A fixed address.
        assert name == "gateway" or "ports" not in each, name


def test_the_settings_name_whom_a_service_calls() -> None:
    servers = {"redis_url": "redis", "amqp_url": "rabbitmq", "database_url": "mariadb"}
    for service, called in CALLS.items():
        if service != "sms-worker":  # It has the settings of sms-service.
            settings: type[BaseSettings] = importlib.import_module(f"{service.replace('-', '_')}.settings").Settings
            fields = settings.model_fields
            peers = {name.removesuffix("_url").replace("_", "-") for name in fields if name.endswith("_service_url")}
            assert called == peers | {server for field, server in servers.items() if field in fields}, service


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("SMS_SENDS_PER_DAYS", "SMS_SENDS_PER_DAY"),
        ("GATEWAY_COOKIE_SECURE", "GATEWAY_COOKIES_SECURE"),
        ("CAPTCHA_WORKBITS", "CAPTCHA_WORK_BITS"),
        ("USER_SESSIONS_IDLE_DAYS", "USER_SESSION_IDLE_DAYS"),
        ("NEWS_VIEW_FLUSH_SECOND", "NEWS_VIEW_FLUSH_SECONDS"),
        ("XINJING_GATEWAY_LOG_LEVEL", "GATEWAY_LOG_LEVEL"),
        # Here the prefix is wrong.
        ("SSM_ROUTES", "SMS_ROUTES"),
        ("GATWAY_TRUSTED_PROXIES", "GATEWAY_TRUSTED_PROXIES"),
        ("PORTS", "PORT"),
    ],
)
def test_a_mistyped_line_of_env_is_named(check_env: Callable[..., str], line: str, meant: str) -> None:
    assert check_env(**{line: "hunter2"}) == f"Lines of .env do nothing:\n  {line}: is unknown, did you mean {meant}?\n"


def test_a_secret_in_env_is_sent_to_its_file(check_env: Callable[..., str]) -> None:
    said = check_env(USER_DATABASE_URL="hunter2", SMS_CODE_KEY="hunter2").splitlines()[1:]
    assert said == [
        f"  {name.upper()}: is not read from here, but from the file deploy/secrets/{folder}/{name}"
        for folder, name in (("sms-service", "sms_code_key"), ("user-service", "user_database_url"))
    ]


def test_every_line_of_the_example_and_every_setting_may_stand_in_env(
    root: Path, containers: dict[str, Container], check_env: Callable[..., str]
) -> None:
    example = re.findall(r"^# ([A-Z0-9_]+)=", (root / ".env.example").read_text(), re.MULTILINE)
    own = {name for each in _long_running(containers).values() for name in each["environment"]}
    assert len(example) > 20
    assert check_env(**dict.fromkeys({*example, *own}, "1"), COMPOSE_PROJECT_NAME="x", DOCKER_HOST="x", TZ="UTC") == ""


def test_the_gateway_trusts_the_address_from_which_this_machine_reaches_it(root: Path) -> None:
    compose = yaml.safe_load((root / "docker-compose.yml").read_text())
    (front,) = compose["networks"]["front"]["ipam"]["config"]
    prefix = "${FRONT_NETWORK:-172.16.250}"
    assert front == {"subnet": f"{prefix}.0/24", "gateway": f"{prefix}.1"}
    environment = compose["services"]["gateway"]["environment"]
    assert environment["GATEWAY_TRUSTED_PROXIES"] == f"${{GATEWAY_TRUSTED_PROXIES:-{front['gateway']}}}"
    # Otherwise others than this machine could come from that address.
    assert compose["services"]["gateway"]["ports"] == ["127.0.0.1:${PORT:-8000}:8000"]


def test_every_shipped_configuration_of_a_proxy_is_explained_and_run(root: Path) -> None:
    readme, journeys = (root / "README.md").read_text(), (root / "tests-e2e" / "test_proxies.py").read_text()
    shipped = sorted(path.name for path in (root / "deploy" / "proxies").iterdir())
    assert len(shipped) == 3
    for name in shipped:
        assert f"(deploy/proxies/{name})" in readme, name
        assert f'"{name}": (' in journeys, name
