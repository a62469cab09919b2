"""Alembic's entry; `chassis.migrations.migrate` runs it."""

from chassis.migrations import run_migrations
from user_service.models import Base

run_migrations(Base.metadata)
