"""``flask --app user_service.app sessions …``: ending sessions by an operator, and purging old ones."""

import click
from flask import Flask
from flask.cli import AppGroup

from user_service.sessions.bulk import Everybody
from user_service.sessions.sessions import Sessions

_FEWEST_DAYS = 30


def install(app: Flask, sessions: Sessions, all_users: Everybody) -> None:
    """Add the commands to an app."""
    group = AppGroup("sessions", help="The sessions of users.")

    @group.command("end")
    @click.option("--user-id", type=click.IntRange(1), help="Whose sessions.")
    @click.option("--everybody", is_flag=True, help="Those of all users.")
    def end_command(user_id: int | None, everybody: bool) -> None:
        """End all sessions of one user or of everybody; every gateway refuses them within five seconds."""
        if (user_id is None) is not everybody:
            raise click.UsageError("Say either --user-id or --everybody.")
        if user_id is None:
            all_users.sign_out(actor_id=None)
        else:
            sessions.end_all(user_id)
        click.echo("The sessions have ended.")

    @group.command("purge")
    @click.option("--days", default=90, show_default=True, type=click.IntRange(min=_FEWEST_DAYS), help="Kept days.")
    def purge_command(days: int) -> None:
        """Delete the expired sessions that began earlier. Run it daily."""
        click.echo(f"{all_users.purge(days=days)} expired sessions older than {days} days are deleted.")

    app.cli.add_command(group)
