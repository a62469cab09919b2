"""``flask --app user_service.app keys …``: list, rotate and retire the keys that sign access tokens."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import click
from flask.cli import AppGroup

from user_service.tokens.key_ring import KeyFile, KeyRing, RotationRefused, SigningKeys
from user_service.tokens.revocations import Revocations
from user_service.tokens.signing_key import new_key

_GATEWAYS_FOLLOW_SECONDS = 5.0  # Within this time every gateway knows a change.


@dataclass(frozen=True, kw_only=True)
class KeyRotation:
    """The changes that an operator makes to the keys. Every change is published to the gateways."""

    keys: SigningKeys
    revocations: Revocations
    token_seconds: int
    clock: Callable[[], datetime]

    def describe(self) -> str:
        """Return one line per key: id, state, since when."""
        return "\n".join(
            f"{entry.key.kid}  {entry.state:8}  since {entry.since:%Y-%m-%d %H:%M:%SZ}"
            for entry in self.keys.ring().keys
        )

    def rotate(self, *, forced: bool, settle_seconds: float = _GATEWAYS_FOLLOW_SECONDS) -> str:
        """Publish a next key, or let a next key sign that was published a day ago; ``forced``: both, now."""
        if self.keys.ring().next is None:
            self._change(lambda ring: ring.announce(new_key(), self.clock()))
            if not forced:
                return "The next key is published. Rotate again in 24 hours, and it will sign."
            time.sleep(settle_seconds)  # Before every gateway has the key, its tokens would be refused.
        self._change(lambda ring: ring.promote(self.clock(), forced=forced))
        return "The next key signs from now on; the one before retires."

    def retire(self, kid: str | None) -> str:
        """Drop the retiring keys that no valid token needs, or one key at once."""
        if kid is not None:
            self._change(lambda ring: ring.without(kid))
            return "The key is gone. Tokens that it signed are refused."
        before = len(self.keys.ring().keys)
        ring = self._change(lambda ring: ring.without_retired(self.clock(), token_seconds=self.token_seconds))
        return f"{before - len(ring.keys)} keys are gone."

    def _change(self, change: Callable[[KeyRing], KeyRing]) -> KeyRing:
        if not isinstance(self.keys, KeyFile):
            raise RotationRefused(
                "The keys come from USER_SIGNING_KEY. Put a second PEM behind the first, and restart; a day later "
                "swap them, and restart; remove the old one a quarter of an hour after that."
            )
        ring = self.keys.change(change)
        self.revocations.change_keys(self.clock())
        return ring


def key_commands(rotation: KeyRotation) -> AppGroup:
    """Make the group ``keys``."""
    group = AppGroup("keys", help="The keys that sign access tokens.")

    @group.command("list")
    def list_command() -> None:
        """Show the keys and their states."""
        click.echo(rotation.describe())

    @group.command()
    @click.option("--now", "forced", is_flag=True, help="Do not wait a day; for a key that leaked or will.")
    @click.option("--settle-seconds", default=_GATEWAYS_FOLLOW_SECONDS, show_default=True, type=click.FloatRange(0, 60))
    def rotate(forced: bool, settle_seconds: float) -> None:
        """Publish the next key; a day later, let it sign."""
        _print_result(lambda: rotation.rotate(forced=forced, settle_seconds=settle_seconds))

    @group.command()
    @click.option("--now", "kid", metavar="KEY_ID", help="Drop this key at once: the tokens it signed are refused.")
    def retire(kid: str | None) -> None:
        """Drop the retiring keys that no living token needs."""
        _print_result(lambda: rotation.retire(kid))

    return group


def _print_result(act: Callable[[], str]) -> None:
    try:
        click.echo(act())
    except RotationRefused as error:
        raise click.ClickException(str(error)) from error
