"""The migrations and the models say the same, on every database."""

from datetime import UTC, datetime

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import column, create_engine, func, insert, inspect, select, table

from chassis.migrations import migrate
from news_service.articles.tables import InfoNews
from news_service.comments.tables import InfoComment
from news_service.readers.tables import InfoUserCollection, InfoUserFans
from news_service.tables import Base


def _is_described(name: str | None, _kind: str, _parents: object) -> bool:
    """The full-text indexes are a matter of each database, so that no model describes them."""
    return not (name or "").startswith(("news_search_terms", "ix_news_search_terms"))


def test_the_migrated_schema_is_the_one_of_the_models(empty_database_url: str) -> None:
    migrate(empty_database_url, scripts="news_service:migrations")
    engine = create_engine(empty_database_url)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_name": _is_described}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_the_migrations_can_be_undone(empty_database_url: str) -> None:
    migrate(empty_database_url, scripts="news_service:migrations")
    migrate(empty_database_url, scripts="news_service:migrations", revision="base")
    engine = create_engine(empty_database_url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_a_migrated_database_has_roots_above_answers_and_a_queue(empty_database_url: str) -> None:
    migrate(empty_database_url, scripts="news_service:migrations", revision="0001")
    news = table(
        "info_news", *(column(name) for name in ("title", "source", "digest", "content", "status", "published_at"))
    )
    comment = table("info_comment", *(column(name) for name in ("id", "user_id", "news_id", "content", "parent_id")))
    article = {
        "title": "t",
        "source": "s",
        "digest": "d",
        "content": "c",
        "status": 0,
        "published_at": "2026-01-01 00:00:00",
    }
    waiting = article | {"status": 1}
    favourite = table("info_user_collection", column("user_id"), column("news_id"))
    follow = table("info_user_fans", column("follower_id"), column("followed_id"))
    parents = {1: None, 2: 1, 3: 2, 4: None, 5: 4, 6: 3}
    engine = create_engine(empty_database_url)
    with engine.begin() as connection:
        connection.execute(insert(news), [article, waiting])
        of_all = {"user_id": 7, "news_id": 1, "content": "c"}
        connection.execute(
            insert(comment), [{"id": id_, "parent_id": parent, **of_all} for id_, parent in parents.items()]
        )
        connection.execute(insert(favourite), {"user_id": 7, "news_id": 1})
        connection.execute(insert(follow), {"follower_id": 7, "followed_id": 8})
    migrate(empty_database_url, scripts="news_service:migrations")
    with engine.connect() as connection:
        times = [connection.scalar(select(model.create_time)) for model in (InfoUserCollection, InfoUserFans)]
        rows = connection.execute(select(InfoComment.id, InfoComment.root_id, InfoComment.reply_count)).all()
        assert connection.scalar(select(func.count()).where(InfoComment.is_listed)) == len(parents)
        submitted = connection.execute(select(InfoNews.status, InfoNews.submitted_at).order_by(InfoNews.status)).all()
    engine.dispose()
    assert [tuple(row) for row in submitted] == [(0, None), (1, datetime(2026, 1, 1, tzinfo=UTC))]
    assert times == [datetime(1970, 1, 1, tzinfo=UTC)] * 2
    assert {tuple(row) for row in rows} == {(1, 0, 3), (2, 1, 0), (3, 1, 0), (4, 0, 1), (5, 4, 0), (6, 1, 0)}
