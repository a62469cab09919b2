"""The boundaries of the services: who may import whom, and facts that stand in two places."""

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from pydantic_settings import BaseSettings

from gateway.routing.route_files import own_rules
from news_service.imports import authors
from user_service.accounts import import_sql

PREFIXES = {
    "CAPTCHA": "captcha_service",
    "SMS": "sms_service",
    "USER": "user_service",
    "NEWS": "news_service",
    "GATEWAY": "gateway",
}
PACKAGES = frozenset(PREFIXES.values())


def test_a_project_imports_no_service_but_itself(project: str, imports_of: Callable[[str], set[str]]) -> None:
    others = PACKAGES - {project.replace("-", "_")}
    assert imports_of(project) & others == set()


def test_every_import_is_declared(
    project: str, imports_of: Callable[[str], set[str]], declared_by: Callable[[str], set[str]]
) -> None:
    ours = {"chassis", project.replace("-", "_")}
    distributions = packages_distributions()
    used = imports_of(project) - ours - sys.stdlib_module_names - {"_typeshed"}
    providers = {name: {re.sub(r"[-_.]+", "-", d).lower() for d in distributions[name]} for name in used}
    assert {name for name, provided in providers.items() if not provided & declared_by(project)} == set()


def test_every_declared_package_is_used(
    project: str, imports_of: Callable[[str], set[str]], declared_by: Callable[[str], set[str]]
) -> None:
    run_beside_the_code = {"gunicorn", "pymysql", "psycopg", "cryptography", "flask-openapi3-swagger", "gevent"}
    distributions = packages_distributions()
    used = {re.sub(r"[-_.]+", "-", d).lower() for name in imports_of(project) for d in distributions.get(name, [])}
    assert declared_by(project) - used - run_beside_the_code == set()


def test_folders_of_tests_are_no_packages(root: Path) -> None:
    assert list(root.glob("*/tests/**/__init__.py")) + list(root.glob("tests-e2e/**/__init__.py")) == []


def _requirements(root: Path) -> list[Path]:
    return [path for folder in ("deploy", "tools/captcha-strength") for path in (root / folder).glob("requirements*")]


def test_locks_hold_no_addresses(root: Path) -> None:
    for lock in _requirements(root):
        assert "://" not in lock.read_text(), lock.name


def test_locks_of_node_hold_hashes_and_no_addresses(root: Path) -> None:
    locks = list(root.glob("examples/*/package-lock.json"))
    assert locks
    for lock in locks:
        packages = {name: each for name, each in json.loads(lock.read_text())["packages"].items() if name}
        assert {name for name, each in packages.items() if "resolved" in each or "integrity" not in each} == set()


def test_locks_name_hashes_for_everything(root: Path) -> None:
    for lock in (path for path in _requirements(root) if path.suffix == ".txt"):
        pinned = re.findall(r"^[a-zA-Z0-9].*?==.*\\\n +--hash=", lock.read_text(), re.MULTILINE)
        assert len(pinned) == len(re.findall(r"^[a-zA-Z0-9][^=\n]*==", lock.read_text(), re.MULTILINE)), lock.name


def test_the_lock_of_telemetry_is_the_extra_of_the_chassis(root: Path) -> None:
    lines = (root / "deploy" / "requirements-telemetry.in").read_text().splitlines()
    extras = tomllib.loads((root / "chassis" / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras == {"telemetry": [line for line in lines if not line.startswith(("#", "-"))]}


def test_what_the_image_copies_is_not_ignored(root: Path) -> None:
    kept = {line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (root / "deploy" / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source for line in copies for source in line.split()} - {"${SERVICE}"}
    assert len(sources) > 4
    assert sources - kept == set()


def _public_operations(root: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """Method and path of every public operation, with its service and access."""
    found = {}
    for package in PACKAGES - {"gateway"}:
        folder = package.replace("_", "-")
        document = json.loads((root / folder / "openapi.json").read_text())
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if operation["x-access"] != "service":
                    found[method.upper(), path] = (folder, operation["x-access"])
    return found


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_every_public_operation_has_exactly_one_gateway_rule(root: Path) -> None:
    ruled = [
        (rule.method, _shape(rule.path), str(rule.service), str(rule.access))
        for rule in own_rules()
        if rule.path.startswith(("/api/", "/.well-known/", "/feeds/", "/sitemap", "/robots.txt"))
    ]
    offered = [
        (method, _shape(path), service, access)
        for (method, path), (service, access) in _public_operations(root).items()
    ]
    assert sorted(ruled) == sorted(offered)


def test_no_gateway_rule_leads_to_internal() -> None:
    assert [rule.path for rule in own_rules() if "internal" in rule.path] == []


def _settings_of(package: str) -> type[BaseSettings]:
    kind = importlib.import_module(f"{package}.settings").Settings
    assert issubclass(kind, BaseSettings)
    return kind


def _variables(package: str) -> dict[str, bool]:
    """The variables of a service, and whether each is required."""
    kind = _settings_of(package)
    prefix = kind.model_config["env_prefix"]
    return {
        str(field.validation_alias or prefix + name).upper(): field.is_required()
        for name, field in kind.model_fields.items()
    }


def test_settings_and_compose_file_name_the_same_variables(root: Path) -> None:
    compose = yaml.safe_load((root / "docker-compose.yml").read_text())
    made = (root / "deploy" / "make-secrets").read_text()
    for prefix, package in PREFIXES.items():
        containers = [each for each in compose["services"].values() if package in _package_of(each)]
        given = {name for each in containers for name in each.get("environment", {}) if name.startswith(f"{prefix}_")}
        variables = _variables(package)
        from_files = {
            name for name in variables if name.lower() in made or f"_{name.partition('_')[2]}".lower() in made
        }
        required = {name for name, is_required in variables.items() if is_required}
        assert given - set(variables) == set(), "the compose file names what no settings class knows"
        assert required - given - from_files == set(), "a required setting stands nowhere"
        own = {name for name in variables if name.startswith(f"{prefix}_")}
        values = {name: value for each in containers for name, value in each.get("environment", {}).items()}
        fixed = {name for name in own & set(values) if values[name] is not None and f"${{{name}:-" not in values[name]}
        assert (own - given - from_files, fixed) == (set(), set()), "a line in .env would be ignored"


def _package_of(container: dict[str, object]) -> str:
    return str(container.get("image", "")).removeprefix("xinjing/").replace("-", "_")


def test_both_imports_read_the_accounts_of_a_dump_alike() -> None:
    assert (authors.ACCOUNT_COLUMNS, authors.ALIASES) == (import_sql.COLUMNS, import_sql.ALIASES)


def test_the_chassis_stays_small(root: Path) -> None:
    lines = [
        line
        for path in (root / "chassis" / "chassis").glob("*.py")
        if path.name != "errors.py"  # A table: one entry for each failure of the whole system.
        for line in re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL).splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]
    # 790 before addresses, settings and the care for what is away came from five services, 920 before unknown variables
    # are refused, clients are logged and what people paste is read as they see it, 980 before traces are read, handed
    # on and exported by every service (tracing.py, telemetry.py), rows are read without a session, and tokens and
    # schemas of queries are read once, 1155 before pictures are drawn again for accounts and for news (pictures.py).
    assert len(lines) < 1270


@pytest.mark.parametrize("package", ["user_service", "news_service"])
def test_no_serving_process_holds_what_only_migrations_need(package: str) -> None:
    found = f"import sys, {package}.app; print([name for name in ('alembic', 'mako') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True).stdout == "[]\n"


# The packages and modules of a service, from the top floor to the ground floor. A module belongs to the longest name
# with which its own name begins. It may import modules of the same name and of the floors below.
FLOORS: dict[str, list[set[str]]] = {
    "gateway": [
        {"app"},
        {"classic", "docs", "commands"},
        {"proxy"},
        {"cache"},
        {"auth", "routing", "upstreams"},
        {"proxy.responses"},
        {"proxy.request", "proxy.body"},
        {"proxy.forwarded"},
        {"settings"},
        {"metrics"},
    ],
    "sms_service": [
        {"app"},
        {"api", "commands", "worker"},
        {"codes"},
        {"routing"},
        {"providers", "queue"},
        {"settings"},
        {"codes.limit_settings", "providers.settings"},
        {"codes.crypto", "codes.keys", "codes.templates", "providers.standard_webhooks", "routing.routes"},
        {"codes.purposes", "metrics"},
    ],
    "user_service": [
        {"app"},
        {"accounts.routes", "passwords.routes", "sessions.routes", "sessions.commands", "tokens.commands"},
        {"admin"},
        {"settings"},
        {"sessions"},
        {"accounts"},
        {"passwords"},
        {"tokens", "limits"},
        {"audit"},
        {"clients"},
        {"migrations"},
        {"models"},
    ],
    "news_service": [
        {"app"},
        {"commands"},
        {"pages", "feeds"},
        {"imports"},
        {"samples"},
        {"review"},
        {"comments"},
        {"writing", "readers"},
        {"search"},
        {"articles"},
        {"caching", "clients", "cursors", "rate_limits", "repeating", "review.word_list", "settings", "site"},
        {"review.metrics", "writing.sanitising"},
        {"migrations"},
        {"articles.tables", "comments.tables", "readers.tables", "review.tables", "search.tables", "writing.tables"},
        {"tables"},
    ],
}


def _imports_of_modules(package: Path) -> Iterator[tuple[str, str]]:
    """Each module of a service with each module of the same service that it imports."""
    modules = {".".join(path.relative_to(package).with_suffix("").parts): path for path in package.rglob("*.py")}
    for module, path in sorted(modules.items()):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == package.name:
                parent = (node.module or "").partition(".")[2]
                names = [f"{parent}.{alias.name}".lstrip(".") for alias in node.names]
                yield from ((module, name if name in modules else parent) for name in names)


def _entry_of(module: str, floors: list[set[str]]) -> str:
    entries = [entry for floor in floors for entry in floor if f"{module}.".startswith(f"{entry}.")]
    return max(entries, key=len, default="no floor")


@pytest.mark.parametrize("package", FLOORS)
def test_no_module_imports_from_a_floor_above_its_own(root: Path, package: str) -> None:
    floors = FLOORS[package]
    level = {entry: number for number, floor in enumerate(floors) for entry in floor}
    pairs = list(_imports_of_modules(root / package.replace("_", "-") / package))
    assert len(pairs) > 50, "the imports were not read"
    wrong = []
    for module, imported in pairs:
        source, target = _entry_of(module, floors), _entry_of(imported, floors)
        if source != target and level.get(source, len(floors)) >= level.get(target, -1):
            wrong.append(f"{module} imports {imported}")
    assert wrong == []
