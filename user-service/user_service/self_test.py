"""What user-service looks at before it serves: its keys, the file of signing keys, Redis."""

import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from chassis.self_test import refuse_to_start, unsafe_surroundings, weak_secrets
from user_service.settings import Settings


def check_start(settings: Settings) -> None:
    """Stop the process, with every reason in one message, if it would not be safe to serve."""
    secrets = dict(_secrets(settings))
    refuse_to_start([*weak_secrets(secrets), *_key_file(settings), *unsafe_surroundings(settings.redis_url)])


def _secrets(settings: Settings) -> Iterator[tuple[str, str]]:
    """Name every secret key, those inside of lists and mappings too; the PEM apart, which is no word to guess."""
    for field in type(settings).model_fields:
        if not field.endswith(("_key", "_keys")) or field == "signing_key":
            continue
        value = getattr(settings, field)
        members = value.items() if isinstance(value, Mapping) else [("", value)]
        for member, secret in members:
            if isinstance(secret, SecretStr):
                yield f"USER_{field.upper()} {member}".strip(), secret.get_secret_value()


def _key_file(settings: Settings) -> list[str]:
    path = settings.signing_key_source()
    if not isinstance(path, Path):
        return []
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError:
        return [f"USER_SIGNING_KEY_FILE: the folder {path.parent} cannot be written"]
    if not path.exists():
        return []
    open_to_others = stat.S_IMODE(path.stat().st_mode) & 0o077
    return ["USER_SIGNING_KEY_FILE is open to other users; chmod 600"] if open_to_others else []
