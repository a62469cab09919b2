"""``flask --app user_service.app keys …``: list, rotate and retire the keys that sign access tokens."""

import time
from collections.abc import Callable
from datetime import datetime

import click
from flask import Flask
from flask.cli import AppGroup

from user_service.tokens.key_ring import KeyRing, RotationRefused
from user_service.tokens.key_store import KeyFile, SigningKeys
from user_service.tokens.revocations import Revocations
from user_service.tokens.signing_key import new_key

_TOLD_WITHIN_SECONDS = 5.0  # The bound within which gateways hear of anything.


class KeyCommands:
    """What an operator does with the keys; the gateways are told of every change."""

    def __init__(
        self, keys: SigningKeys, revocations: Revocations, *, token_seconds: int, clock: Callable[[], datetime]
    ) -> None:
        self._keys = keys
        self._revocations = revocations
        self._token_seconds = token_seconds
        self._clock = clock

    def describe(self) -> str:
        """Return one line per key: id, state, since when."""
        return "\n".join(
            f"{entry.key.kid}  {entry.state:8}  since {entry.since:%Y-%m-%d %H:%M:%SZ}"
            for entry in self._keys.ring().keys
        )

    def rotate(self, *, forced: bool, settle_seconds: float = _TOLD_WITHIN_SECONDS) -> str:
        """Publish a next key, or let the one sign that has been published for a day; ``forced``: both, now."""
        if self._keys.ring().next is None:
            self._change(lambda ring: ring.announce(new_key(), self._clock()))
            if not forced:
                return "The next key is published. Rotate again in 24 hours, and it will sign."
            time.sleep(settle_seconds)  # Until every gateway has it, or tokens would be refused.
        self._change(lambda ring: ring.promote(self._clock(), forced=forced))
        return "The next key signs from now on; the one before retires."

    def retire(self, kid: str | None) -> str:
        """Drop the retiring keys that no living token needs, or one key at once."""
        if kid is not None:
            self._change(lambda ring: ring.without(kid))
            return "The key is gone. Tokens that it signed are refused."
        before = len(self._keys.ring().keys)
        ring = self._change(lambda ring: ring.without_retired(self._clock(), token_seconds=self._token_seconds))
        return f"{before - len(ring.keys)} keys are gone."

    def _change(self, change: Callable[[KeyRing], KeyRing]) -> KeyRing:
        if not isinstance(self._keys, KeyFile):
            raise RotationRefused(
                "The keys come from USER_SIGNING_KEY. Put a second PEM behind the first, and restart; a day later "
                "swap them, and restart; remove the old one a quarter of an hour after that."
            )
        ring = self._keys.change(change)
        self._revocations.change_keys(self._clock())
        return ring


def install(app: Flask, commands: KeyCommands) -> None:
    """Add the commands to an app."""
    group = AppGroup("keys", help="The keys that sign access tokens.")

    @group.command("list")
    def list_command() -> None:
        """Show the keys and their states."""
        click.echo(commands.describe())

    @group.command("rotate")
    @click.option("--now", "forced", is_flag=True, help="Do not wait a day; for a key that leaked or will.")
    @click.option("--settle-seconds", default=_TOLD_WITHIN_SECONDS, show_default=True, type=click.FloatRange(0, 60))
    def rotate_command(forced: bool, settle_seconds: float) -> None:
        """Publish the next key; a day later, let it sign."""
        _say(lambda: commands.rotate(forced=forced, settle_seconds=settle_seconds))

    @group.command("retire")
    @click.option("--now", "kid", metavar="KEY_ID", help="Drop this key at once: the tokens it signed are refused.")
    def retire_command(kid: str | None) -> None:
        """Drop the retiring keys that no living token needs."""
        _say(lambda: commands.retire(kid))

    app.cli.add_command(group)


def _say(act: Callable[[], str]) -> None:
    try:
        click.echo(act())
    except RotationRefused as error:
        raise click.ClickException(str(error)) from error
