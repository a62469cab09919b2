"""Imports and exports of the data of ``make run``, which may run or not: ``python -m local.transfer import FILE…``."""

import os

from transfer.commands import transfer
from transfer.settings import TransferSettings

from chassis.migrations import migrate
from chassis.settings import load_settings
from local.settings import LocalSettings, data_environment
from news_service.commands import MIGRATIONS as NEWS_MIGRATIONS
from user_service.app import MIGRATIONS as USER_MIGRATIONS


def main() -> None:
    """Make the databases that are missing, and run the command on them."""
    data = load_settings(LocalSettings).data_dir
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, value in data_environment(data.resolve()).items():
        os.environ.setdefault(name, value)
    settings = load_settings(TransferSettings)
    migrate(settings.user_database_url.get_secret_value(), scripts=USER_MIGRATIONS)
    migrate(settings.news_database_url.get_secret_value(), scripts=NEWS_MIGRATIONS)
    transfer(prog_name="make")


if __name__ == "__main__":
    main()
