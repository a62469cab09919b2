"""Alembic's entry."""

from chassis.database import run_migrations
from news_service.reader_tables import InfoComment

run_migrations(InfoComment.metadata)
