"""Alembic's entry."""

from chassis.migrations import run_migrations
from news_service.models import InfoComment

run_migrations(InfoComment.metadata)
