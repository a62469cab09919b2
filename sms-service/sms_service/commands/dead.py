"""``flask --app sms_service.app sms dead …``: the jobs that nobody will send."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from flask.cli import AppGroup

from sms_service.queue.interface import DeadJob, InspectionFailed, NoSuchDeadJob, QueueInspection

_SHOWN = 100


def dead_commands(make_inspection: Callable[[], QueueInspection]) -> AppGroup:
    """Make the group ``dead`` with list, show, replay and drop."""
    dead = AppGroup("dead", help="The jobs that nobody will send: malformed, expired, or the death of many workers.")

    @dead.command("list")
    @click.option("--limit", default=_SHOWN, show_default=True, help="How many, the oldest first.")
    def list_dead(limit: int) -> None:
        """List dead jobs: when, why, id, seconds that its code still lives."""
        with _failures():
            found = make_inspection().dead(limit)
        for each in found:
            click.echo(_line(each))
        click.echo(f"{len(found)} dead jobs.", err=True)

    @dead.command()
    @click.argument("dead_id")
    def show(dead_id: str) -> None:
        """Show one dead job whole; it holds neither a mobile nor a code."""
        click.echo(_find(make_inspection(), dead_id).body)

    @dead.command()
    @click.argument("dead_id")
    def replay(dead_id: str) -> None:
        """Put a dead job on the queue again, unless its code has died meanwhile."""
        inspection = make_inspection()
        job = _find(inspection, dead_id).job
        if job is None:
            raise click.ClickException("This is no job; only drop can help.")
        if job.exp <= time.time():
            raise click.ClickException("Its code has expired; only drop can help.")
        with _failures(dead_id):
            inspection.replay(dead_id)
        click.echo(f"{dead_id} waits to be sent again.")

    @dead.command()
    @click.argument("dead_id")
    def drop(dead_id: str) -> None:
        """Take a dead job away for good."""
        with _failures(dead_id):
            make_inspection().drop(dead_id)
        click.echo(f"{dead_id} is gone.")

    return dead


def _line(dead: DeadJob) -> str:
    died_at = f"{dead.died_at:%Y-%m-%dT%H:%M:%SZ}" if dead.died_at else "-"
    left = "no job" if dead.job is None else f"{max(0, round(dead.job.exp - time.time()))} s"
    return f"{died_at:20}  {dead.reason or '-':15}  {dead.id:32}  {left}"


def _find(inspection: QueueInspection, dead_id: str) -> DeadJob:
    with _failures(dead_id):
        for dead in inspection.dead(10_000):
            if dead.id == dead_id:
                return dead
        raise NoSuchDeadJob


@contextmanager
def _failures(dead_id: str = "") -> Iterator[None]:
    try:
        yield
    except NoSuchDeadJob as error:
        raise click.ClickException(f"There is no dead job {dead_id}.") from error
    except InspectionFailed as error:
        raise click.ClickException(str(error)) from error
