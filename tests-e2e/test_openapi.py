"""The merged OpenAPI document against the running system: schemathesis with all its checks finds nothing.

It sends what the document allows and what it forbids, other methods, and requests without the token, and compares each
answer's status, media type, headers and body with the document.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from openapi_spec_validator import OpenAPIV31SpecValidator

Check = Callable[..., None]
FOLDER = Path(__file__).parent
# They would end the session that asks, or other people's.
ENDING = "sign_everybody_out|ban_user|lift_ban|require_password_reset|end_.*|log_out|delete_account"
# In the hands of an administrator they would take the site's articles away from the other tests.
CHANGING = "add_category|decide_on_.*|change_news|restore_revision|remove_category|change_category"


@pytest.fixture
def check_document(stack: Any, tmp_path: Path) -> Check:
    """Run schemathesis over the operations that the options choose."""

    def check(*options: str) -> None:
        program = Path(sys.executable).parent / "schemathesis"
        config = ["--config-file", str(FOLDER / "schemathesis.toml")]
        # With one seed, the requests are the same in each run.
        bounds = ["--phases", "examples,coverage,fuzzing", "--max-examples", "3", "--seed", "1"]
        done = subprocess.run(
            [program, *config, "run", f"{stack.url}/api/v1/openapi.json", "--checks", "all", *bounds, *options],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=280,
        )
        assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2000:]
        assert "test cases" in done.stdout.lower()

    return check


def test_the_document_is_valid_and_names_the_gateways_own_endpoints(stack: Any) -> None:
    document = requests.get(f"{stack.url}/api/v1/openapi.json", timeout=20).json()
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert {"/auth", "/healthz", "/readyz", "/inbox/messages", "/api/v1/news"} < set(document["paths"])


def test_the_document_holds_for_an_administrator(check_document: Check, admin_token: str) -> None:
    without = f"{ENDING}|{CHANGING}"
    check_document("--header", f"Authorization: Bearer {admin_token}", "--exclude-operation-id-regex", without)


def test_the_document_holds_for_a_user_at_what_changes_the_site(check_document: Check, register: Any) -> None:
    user = register()
    check_document("--header", f"Authorization: Bearer {user.access_token}", "--include-operation-id-regex", CHANGING)


def test_the_document_holds_for_what_ends_sessions(check_document: Check) -> None:
    """Nobody is signed in here, so that no session ends; the check `ignored_auth` tries the others without a token."""
    check_document("--include-operation-id-regex", ENDING)
