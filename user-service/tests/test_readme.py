"""The README names every endpoint of the OpenAPI document and every setting, and no other setting."""

import json
import re
from pathlib import Path

from user_service.settings import Settings

SERVICE = Path(__file__).parents[1]
README = (SERVICE / "README.md").read_text()


def test_every_endpoint_is_named():
    paths = json.loads((SERVICE / "openapi.json").read_text())["paths"]
    missing = [path for path in paths if f"`{path}`" not in README and f"`…/{path.rpartition('/')[2]}`" not in README]
    assert missing == []


def test_every_setting_is_named_and_no_other():
    settings = {str(field.validation_alias or f"USER_{name}").upper() for name, field in Settings.model_fields.items()}
    named = set(re.findall(r"`((?:USER|METRICS|WEB|LOG|OTEL)_[A-Z0-9_]+)`", README))
    assert named == settings


def test_it_is_read_in_a_minute():
    prose = re.sub(r"^```mermaid.*?^```\n", "", README, flags=re.DOTALL | re.MULTILINE)
    assert len(prose.splitlines()) <= 40
