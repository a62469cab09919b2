"""``flask --app sms_service.app sms dead …``: the jobs that no worker will send."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
import svcs
from flask.cli import AppGroup

from sms_service.queue.factory import make_inspection
from sms_service.queue.interface import DeadJob, InspectionFailed, NoSuchDeadJob, QueueInspection
from sms_service.settings import Settings

_SHOWN, _MOST_READ = 100, 10_000
dead = AppGroup("dead", help="The jobs that no worker will send: malformed, expired, or delivered too often.")


@dead.command("list")
@click.option("--limit", default=_SHOWN, show_default=True, help="How many, the oldest first.")
def list_dead(limit: int) -> None:
    """List dead jobs: when, why, id, seconds until the code expires."""
    with _click_errors():
        dead_jobs = _inspection().list_dead(limit)
    for dead_job in dead_jobs:
        click.echo(_format_line(dead_job))
    click.echo(f"{len(dead_jobs)} dead jobs.", err=True)


@dead.command()
@click.argument("dead_id")
def show(dead_id: str) -> None:
    """Show one dead job whole; it holds neither a mobile nor a code."""
    click.echo(_find_job(_inspection(), dead_id).body)


@dead.command()
@click.argument("dead_id")
def replay(dead_id: str) -> None:
    """Put a dead job on the queue again, unless its code has expired."""
    inspection = _inspection()
    job = _find_job(inspection, dead_id).job
    if job is None:
        raise click.ClickException("This is no job; only drop can help.")
    if job.exp <= time.time():
        raise click.ClickException("Its code has expired; only drop can help.")
    with _click_errors(dead_id):
        inspection.replay_dead(dead_id)
    click.echo(f"{dead_id} waits to be sent again.")


@dead.command()
@click.argument("dead_id")
def drop(dead_id: str) -> None:
    """Delete a dead job."""
    with _click_errors(dead_id):
        _inspection().drop_dead(dead_id)
    click.echo(f"{dead_id} is gone.")


def _inspection() -> QueueInspection:
    return make_inspection(svcs.flask.get(Settings))


def _format_line(dead_job: DeadJob) -> str:
    died_at = f"{dead_job.died_at:%Y-%m-%dT%H:%M:%SZ}" if dead_job.died_at else "-"
    left = "no job" if dead_job.job is None else f"{max(0, round(dead_job.job.exp - time.time()))} s"
    return f"{died_at:20}  {dead_job.reason or '-':15}  {dead_job.id:32}  {left}"


def _find_job(inspection: QueueInspection, dead_id: str) -> DeadJob:
    with _click_errors(dead_id):
        for dead_job in inspection.list_dead(_MOST_READ):
            if dead_job.id == dead_id:
                return dead_job
        raise NoSuchDeadJob


@contextmanager
def _click_errors(dead_id: str = "") -> Iterator[None]:
    try:
        yield
    except NoSuchDeadJob as error:
        raise click.ClickException(f"There is no dead job {dead_id}.") from error
    except InspectionFailed as error:
        raise click.ClickException(str(error)) from error
