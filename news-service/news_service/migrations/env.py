"""Alembic's entry."""

from chassis.migrations import run_migrations
from news_service.articles import tables as _articles
from news_service.comments import tables as _comments
from news_service.readers import tables as _readers
from news_service.review import tables as _review
from news_service.search import tables as _search
from news_service.tables import Base
from news_service.writing import tables as _writing

# Every feature registers its tables when it is imported.
TABLES = (_articles, _comments, _readers, _review, _search, _writing)
run_migrations(Base.metadata)
