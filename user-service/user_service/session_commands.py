"""``flask --app user_service.app sessions …``: ending sessions by an operator."""

import click
from flask import Flask
from flask.cli import AppGroup

from user_service.everybody import Everybody
from user_service.sessions import Sessions


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

    app.cli.add_command(group)
