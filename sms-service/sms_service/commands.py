"""Commands for operators: ``flask --app sms_service.app sms …``."""

from collections.abc import Callable

import click
from flask.cli import AppGroup

from sms_service.queues.rabbitmq_topology import TopologyError, apply_topology, check_topology
from sms_service.settings import Settings


def topology_commands(settings: Settings) -> AppGroup:
    """Make the group ``sms`` with ``topology apply`` and ``topology check``."""
    sms = AppGroup("sms", help="Look after the queues.")
    topology = AppGroup("topology", help="The exchanges and queues of RabbitMQ.")
    sms.add_command(topology)

    @topology.command()
    def apply() -> None:
        """Declare exchanges and queues; safe to repeat."""
        _run(settings, apply_topology, done="RabbitMQ: the exchanges and queues are declared.")

    @topology.command()
    def check() -> None:
        """Say whether all exchanges and queues are there."""
        _run(settings, check_topology, done="RabbitMQ: the exchanges and queues are there.")

    return sms


def _run(settings: Settings, act: Callable[[str], None], *, done: str) -> None:
    if settings.amqp_url is None:
        click.echo("The queue is a stream on Redis; it needs no topology.")
        return
    try:
        act(settings.amqp_url.get_secret_value())
    except TopologyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(done)
