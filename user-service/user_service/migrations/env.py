"""Alembic's entry; `chassis.database.migrate` runs it."""

from chassis.database import run_migrations
from user_service.models import Base

run_migrations(Base.metadata)
