"""A service whose clock is not that of the others: ``SERVICE=gateway gunicorn 'stage.shifted_clock:create_app()'``.

STAGE_CLOCK_AHEAD_SECONDS says how far it is ahead; behind, if it is negative.
"""

import importlib
import os
from datetime import UTC, datetime, timedelta

import time_machine
from flask import Flask


def create_app() -> Flask:
    """Make the app of the service that SERVICE names, after the clock of this process was set."""
    ahead = timedelta(seconds=int(os.environ["STAGE_CLOCK_AHEAD_SECONDS"]))
    time_machine.travel(datetime.now(UTC) + ahead, tick=True).start()
    app: Flask = importlib.import_module(f"{os.environ['SERVICE'].replace('-', '_')}.app").create_app()
    return app
