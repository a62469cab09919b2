"""Puts together what administrators use: by HTTP and on the command line."""

from collections.abc import Callable
from datetime import datetime

import svcs
from flask_openapi3 import OpenAPI

from chassis.database import Database
from user_service.admin import routes as admin_routes
from user_service.admin.accounts import Administration
from user_service.admin.commands import admin_commands, audit_commands
from user_service.admin.roles import Roles
from user_service.audit.queries import AuditTrail
from user_service.sessions.sessions import Sessions


def install(app: OpenAPI, clock: Callable[[], datetime]) -> None:
    """Add the parts, the routes and the commands to an app that has its database and sessions."""
    parts = svcs.Container(svcs.flask.get_registry(app))
    database, sessions = parts.get(Database, Sessions)
    trail = AuditTrail(database, clock=clock)
    svcs.flask.register_value(app, Administration, Administration(database, sessions, clock=clock))
    svcs.flask.register_value(app, AuditTrail, trail)
    app.register_api(admin_routes.api)
    app.cli.add_command(admin_commands(Roles(database, sessions, clock=clock)))
    app.cli.add_command(audit_commands(trail))
