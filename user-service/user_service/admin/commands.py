"""Commands about administrators and the audit log: ``flask --app user_service.app admin …``, ``… audit purge``."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import AppGroup

from chassis.errors import DependencyUnavailable, MobileInvalid, NotFound
from chassis.mobiles import Mobile, mask_mobile, parse_mobile
from user_service.admin.roles import Roles
from user_service.audit.queries import AuditTrail

_DAYS = click.IntRange(min=30)
# The Cybersecurity Law of China (2017, article 21) wants logs for six months or more, which are up to 184 days.
_KEPT_DAYS = 184


def admin_commands(roles: Roles) -> AppGroup:
    """Make the group ``admin``."""
    group = AppGroup("admin", help="Give and take the role admin.")

    @group.command()
    @click.argument("mobile")
    def grant(mobile: str) -> None:
        """Make the owner of MOBILE an administrator."""
        with _errors_printed():
            user = roles.grant(parse_mobile(mobile))
        moment = "a new password" if user.must_reset_password else "the next login"
        click.echo(f"User {user.id} is an administrator after {moment}.")

    @group.command()
    @click.argument("mobile")
    def revoke(mobile: str) -> None:
        """Take the role from the owner of MOBILE and sign them out everywhere."""
        with _errors_printed():
            user = roles.revoke(parse_mobile(mobile))
        click.echo(f"User {user.id} is no administrator any more, and signed out.")

    @group.command("list")
    def list_command() -> None:
        """List the administrators: id, masked mobile, nick name."""
        with _errors_printed():
            holders = roles.holders()
        for user in holders:
            missing = "  (needs a new password first)" if user.must_reset_password else ""
            click.echo(f"{user.id:>10}  {mask_mobile(Mobile(user.mobile))}  {user.nick_name}{missing}")

    return group


def audit_commands(trail: AuditTrail) -> AppGroup:
    """Make the group ``audit``."""
    group = AppGroup("audit", help="Look after the audit log.")

    @group.command()
    @click.option("--days", default=_KEPT_DAYS, show_default=True, type=_DAYS, help="Kept days.")
    def purge(days: int) -> None:
        """Delete the lines that are older; nothing else ever does. Run it daily."""
        with _errors_printed():
            purged = trail.purge(days=days)
        click.echo(f"{purged} lines older than {days} days are deleted.")

    return group


@contextmanager
def _errors_printed() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise click.ClickException("This mobile has no account.") from error
    except (MobileInvalid, DependencyUnavailable) as error:
        raise click.ClickException(str(error)) from error
