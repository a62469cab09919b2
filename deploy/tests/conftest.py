"""What the boundary tests read: projects, imports, settings."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("gateway", "captcha-service", "sms-service", "user-service", "news-service")
PROJECTS = ("chassis", *SERVICES)


def package_of(project: str) -> Path:
    return ROOT / project / project.replace("-", "_")


def imported_modules(package: Path) -> Iterator[str]:
    """The first part of every absolute import below a folder."""
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


@pytest.fixture(params=PROJECTS)
def project(request: pytest.FixtureRequest) -> str:
    """Each project's folder name in turn."""
    return str(request.param)


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """Each service's folder name in turn."""
    return str(request.param)


@pytest.fixture
def imports_of() -> Callable[[str], set[str]]:
    """The top-level modules that a project imports."""
    return lambda project: set(imported_modules(package_of(project)))


@pytest.fixture
def declared_by() -> Callable[[str], set[str]]:
    """The normalised names of the distributions that a project's pyproject.toml declares."""

    def declared(project: str) -> set[str]:
        data = tomllib.loads((ROOT / project / "pyproject.toml").read_text())
        names = (re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0] for line in data["project"]["dependencies"])
        return {re.sub(r"[-_.]+", "-", name).lower() for name in names}

    return declared


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT
