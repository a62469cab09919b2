"""Commands about roles and the audit log: ``flask --app user_service.app admin …``, ``… audit purge``."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import AppGroup

from chassis.errors import DependencyUnavailable, MobileInvalid, NotFound
from chassis.mobiles import Mobile, mask_mobile, parse_mobile
from user_service.admin.roles import Role, Roles
from user_service.audit.queries import AuditTrail
from user_service.models import granted_roles

_DAYS = click.IntRange(min=30)
# The Cybersecurity Law of China (2017, article 21) wants logs for six months or more, which are up to 184 days.
_KEPT_DAYS = 184
_ARTICLES = {Role.ADMIN: "an administrator", Role.EDITOR: "an editor"}
_role_option = click.option(
    "--role", type=click.Choice([role.value for role in Role]), default=Role.ADMIN.value, show_default=True
)


def admin_commands(roles: Roles) -> AppGroup:
    """Make the group ``admin``."""
    group = AppGroup("admin", help="Give and take the roles admin and editor.")

    @group.command()
    @click.argument("mobile")
    @_role_option
    def grant(mobile: str, role: str) -> None:
        """Give a role to the owner of MOBILE."""
        with _errors_printed():
            user = roles.grant(parse_mobile(mobile), Role(role))
        moment = "a new password" if user.must_reset_password else "the next login"
        click.echo(f"User {user.id} is {_ARTICLES[Role(role)]} after {moment}.")

    @group.command()
    @click.argument("mobile")
    @_role_option
    def revoke(mobile: str, role: str) -> None:
        """Take a role from the owner of MOBILE and sign them out everywhere."""
        with _errors_printed():
            user = roles.revoke(parse_mobile(mobile), Role(role))
        click.echo(f"User {user.id} is not {_ARTICLES[Role(role)]} any more, and signed out.")

    @group.command("list")
    def list_command() -> None:
        """List the accounts with a role: id, masked mobile, roles, nick name."""
        with _errors_printed():
            holders = roles.holders()
        for user in holders:
            missing = "  (needs a new password first)" if user.must_reset_password else ""
            granted = ",".join(granted_roles(user))
            click.echo(f"{user.id:>10}  {mask_mobile(Mobile(user.mobile))}  {granted:<12}  {user.nick_name}{missing}")

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
