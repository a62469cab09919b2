"""What an import and an export need: the two databases, and the hosts whose pictures the pages show."""

from pydantic_settings import BaseSettings

from chassis.database import DatabaseUrl
from chassis.settings import Commas, settings_config
from news_service.settings import ImageHost


class TransferSettings(BaseSettings):
    """Variables of both services under the names that they have there."""

    model_config = settings_config("")

    user_database_url: DatabaseUrl
    news_database_url: DatabaseUrl
    news_image_hosts: Commas[ImageHost] = ()
