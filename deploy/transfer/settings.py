"""What an import and an export need: the two databases, and the folders of the pictures."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from chassis.database import DatabaseUrl
from chassis.settings import settings_config


class TransferSettings(BaseSettings):
    """Variables of both services under the names that they have there."""

    model_config = settings_config("")

    user_database_url: DatabaseUrl
    news_database_url: DatabaseUrl
    user_media_dir: Path | None = Field(default=None)
