"""The secrets of the keyed step before argon2, each with the id that is stored beside the hashes made with it."""

import hmac
import re
from dataclasses import dataclass, field

SHORTEST_SECRET = 32
_ENTRY = re.compile(r"(?P<id>[A-Za-z0-9_-]{1,32}):(?P<secret>[^\s,]+)")


@dataclass(frozen=True)
class PasswordKeys:
    """Keys by their ids; ``current_id`` names the one for new hashes, the others only check old ones."""

    current_id: str
    secrets: dict[str, str] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "PasswordKeys":
        """Read ``id:secret[,id:secret…]``, the current key first.

        Raises:
            ValueError: another form, a secret under 32 characters, an id or a secret twice. No secret is repeated.
        """
        entries = [_ENTRY.fullmatch(entry.strip()) for entry in text.strip().split(",")]
        found = [(entry["id"], entry["secret"]) for entry in entries if entry]
        secrets = dict(found)
        if len(found) < len(entries):
            raise ValueError("the form is id:secret[,id:secret…], ids of letters, digits, - and _")
        if min(map(len, secrets.values())) < SHORTEST_SECRET:
            raise ValueError(f"every secret needs at least {SHORTEST_SECRET} characters")
        if not len(set(secrets.values())) == len(secrets) == len(found):
            raise ValueError("every id and every secret may stand there only once")
        return cls(found[0][0], secrets)

    def digest(self, key_id: str, text: str) -> bytes:
        """Turn a text of any length into 32 bytes that nobody can compute without the key (HMAC-SHA-256, RFC 2104)."""
        return hmac.digest(self.secrets[key_id].encode(), text.encode(), "sha256")
