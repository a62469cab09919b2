"""The yardstick of lists: one Flask program with SQLAlchemy's ORM, as courses teach it, on the rows of news-service.

It does what such programs do for a page: filter, count, sort, load whole rows as objects, write each as a dictionary.
"""

import os
from datetime import datetime
from typing import Any  # JSON objects.

from flask import Flask, Response, jsonify, request
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, scoped_session, sessionmaker

app = Flask(__name__)
sessions = scoped_session(sessionmaker(create_engine(os.environ.get("STAGE_DATABASE_URL", "sqlite://"))))


class Base(DeclarativeBase):
    """The one table."""


class News(Base):
    """An article."""

    __tablename__ = "info_news"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    source: Mapped[str]
    digest: Mapped[str]
    content: Mapped[str]
    clicks: Mapped[int]
    index_image_url: Mapped[str | None]
    category_id: Mapped[int | None]
    status: Mapped[int]
    published_at: Mapped[datetime]

    def to_dict(self) -> dict[str, Any]:
        """Write what a list shows."""
        names = ("id", "title", "source", "digest", "index_image_url", "clicks")
        return {name: getattr(self, name) for name in names} | {"create_time": f"{self.published_at:%Y-%m-%d %H:%M:%S}"}


@app.get("/")
@app.get("/readyz")
def list_news() -> Response:
    """Answer one page: ``?page=1&per_page=20``."""
    page, size = request.args.get("page", 1, type=int), request.args.get("per_page", 10, type=int)
    found = sessions.query(News).filter(News.status == 0).order_by(News.published_at.desc())
    pages = -(-found.count() // size)
    rows = found.limit(size).offset((page - 1) * size).all()
    return jsonify(errno="0", data={"total_page": pages, "current_page": page, "news": [row.to_dict() for row in rows]})


@app.teardown_appcontext
def end_session(_error: BaseException | None) -> None:
    """Give the connection back."""
    sessions.remove()
