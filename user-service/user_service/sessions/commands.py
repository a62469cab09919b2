"""``flask --app user_service.app sessions …``: an operator ends sessions, and purges old ones."""

from collections.abc import Callable
from datetime import datetime

import click
from flask.cli import AppGroup

from user_service.sessions.bulk import purge_sessions, revoke_all_sessions
from user_service.sessions.sessions import Sessions

_FEWEST_DAYS = 30


def session_commands(sessions: Sessions, *, clock: Callable[[], datetime]) -> AppGroup:
    """Make the group ``sessions``."""
    group = AppGroup("sessions", help="The sessions of users.")
    database, revocations = sessions.database, sessions.revocations

    @group.command()
    @click.option("--user-id", type=click.IntRange(1), help="Whose sessions.")
    @click.option("--everybody", is_flag=True, help="Those of all users.")
    def end(user_id: int | None, everybody: bool) -> None:
        """End all sessions of one user or of everybody; every gateway refuses them within five seconds."""
        if (user_id is None) is not everybody:
            raise click.UsageError("Say either --user-id or --everybody.")
        if user_id is None:
            revoke_all_sessions(database, revocations, clock=clock, actor_id=None)
        else:
            sessions.end_all(user_id)
        click.echo("The sessions have ended.")

    @group.command()
    @click.option("--days", default=90, show_default=True, type=click.IntRange(min=_FEWEST_DAYS), help="Kept days.")
    def purge(days: int) -> None:
        """Delete the expired sessions that began earlier. Run it daily."""
        purged = purge_sessions(database, now=clock(), days=days)
        click.echo(f"{purged} expired sessions older than {days} days are deleted.")

    return group
