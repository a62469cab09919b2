"""Writes the tables of the news back in the classic form.

The classic knows no drafts, withdrawn articles, publications in the future and hidden comments. Nothing of these
becomes public there: drafts and comments that nobody may read are left out, a withdrawn article is a rejected one, and
one whose time has not come waits for its review.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any  # Rows of differing columns.

from sqlalchemy import Row, and_, select
from sqlalchemy.orm import aliased

from chassis.database import Database
from chassis.dumps.writing import ClassicTable, read_in_batches
from news_service.articles.tables import APPROVED, DRAFT, IN_REVIEW, REJECTED, WITHDRAWN, InfoCategory, InfoNews
from news_service.comments.tables import VISIBLE, InfoComment, InfoCommentLike
from news_service.readers.tables import InfoUserCollection, InfoUserFans

_TIMES = """\
  `create_time` datetime(6) DEFAULT NULL,
  `update_time` datetime(6) DEFAULT NULL,
"""
_CATEGORY = f"""{_TIMES}  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(64) NOT NULL,
  PRIMARY KEY (`id`)"""
# The classic's own text ends at 64 KiB.
_NEWS = f"""{_TIMES}  `id` int(11) NOT NULL AUTO_INCREMENT,
  `title` varchar(256) NOT NULL,
  `source` varchar(64) NOT NULL,
  `digest` varchar(512) NOT NULL,
  `content` mediumtext NOT NULL,
  `clicks` int(11) DEFAULT NULL,
  `index_image_url` varchar(256) DEFAULT NULL,
  `category_id` int(11) DEFAULT NULL,
  `user_id` int(11) DEFAULT NULL,
  `status` int(11) DEFAULT NULL,
  `reason` varchar(256) DEFAULT NULL,
  PRIMARY KEY (`id`),
  FOREIGN KEY (`category_id`) REFERENCES `info_category` (`id`),
  FOREIGN KEY (`user_id`) REFERENCES `info_user` (`id`)"""
_COMMENT = f"""{_TIMES}  `id` int(11) NOT NULL AUTO_INCREMENT,
  `user_id` int(11) NOT NULL,
  `news_id` int(11) NOT NULL,
  `content` mediumtext NOT NULL,
  `parent_id` int(11) DEFAULT NULL,
  `like_count` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`),
  FOREIGN KEY (`user_id`) REFERENCES `info_user` (`id`),
  FOREIGN KEY (`news_id`) REFERENCES `info_news` (`id`),
  FOREIGN KEY (`parent_id`) REFERENCES `info_comment` (`id`)"""
_LIKE = f"""{_TIMES}  `comment_id` int(11) NOT NULL,
  `user_id` int(11) NOT NULL,
  PRIMARY KEY (`comment_id`,`user_id`),
  FOREIGN KEY (`comment_id`) REFERENCES `info_comment` (`id`),
  FOREIGN KEY (`user_id`) REFERENCES `info_user` (`id`)"""
_FAVOURITE = """\
  `user_id` int(11) NOT NULL,
  `news_id` int(11) NOT NULL,
  `create_time` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`user_id`,`news_id`),
  FOREIGN KEY (`user_id`) REFERENCES `info_user` (`id`),
  FOREIGN KEY (`news_id`) REFERENCES `info_news` (`id`)"""
_FOLLOW = """\
  `follower_id` int(11) NOT NULL,
  `followed_id` int(11) NOT NULL,
  PRIMARY KEY (`follower_id`,`followed_id`),
  FOREIGN KEY (`follower_id`) REFERENCES `info_user` (`id`),
  FOREIGN KEY (`followed_id`) REFERENCES `info_user` (`id`)"""
_WITHDRAWN_REASON = "已撤下"
_COLUMNS = (
    *(InfoNews.id, InfoNews.create_time, InfoNews.update_time, InfoNews.title, InfoNews.source, InfoNews.digest),
    *(InfoNews.content, InfoNews.clicks, InfoNews.index_image_url, InfoNews.category_id, InfoNews.user_id),
    *(InfoNews.status, InfoNews.reason, InfoNews.published_at),
)
_is_written = InfoNews.status != DRAFT
_is_readable = InfoComment.status == VISIBLE


def classic_tables(database: Database, now: datetime, notes: Counter[str]) -> list[ClassicTable]:
    """Return the tables to write; ``notes`` counts what the classic cannot hold, while their rows are read.

    What points to other rows comes before these, so that what is written of a running site points to nothing that came
    later. (Keys are not checked while a dump is loaded.)
    """
    return [
        ClassicTable("info_user_fans", _FOLLOW, lambda: _follows(database)),
        ClassicTable("info_user_collection", _FAVOURITE, lambda: _favourites(database)),
        ClassicTable("info_comment_like", _LIKE, lambda: _likes(database)),
        ClassicTable("info_comment", _COMMENT, lambda: _comments(database, notes)),
        ClassicTable("info_news", _NEWS, lambda: _articles(database, now, notes)),
        ClassicTable("info_category", _CATEGORY, lambda: _categories(database)),
    ]


def _categories(database: Database) -> Iterator[tuple[Any, ...]]:
    table = InfoCategory
    query = select(table.id, table.create_time, table.update_time, table.name)
    for row in read_in_batches(database, query, (table.id,)):
        yield row.create_time, row.update_time, row.id, row.name


def _articles(database: Database, now: datetime, notes: Counter[str]) -> Iterator[tuple[Any, ...]]:
    for row in read_in_batches(database, select(*_COLUMNS), (InfoNews.id,)):
        if row.status == DRAFT:
            notes["drafts are left out"] += 1
            continue
        number, *columns = tuple(row)[:-3]
        yield (*columns[:2], number, *columns[2:], *_classic_state(row, now, notes))


def _classic_state(article: Row[Any], now: datetime, notes: Counter[str]) -> tuple[int, str | None]:
    """Return the status and reason that keep an article from whom it is kept from here."""
    if article.status == WITHDRAWN:
        notes["withdrawn articles are written as rejected"] += 1
        return REJECTED, article.reason or _WITHDRAWN_REASON
    if article.status == APPROVED and article.published_at > now:
        notes["articles whose publication lies ahead are written as waiting for review"] += 1
        return IN_REVIEW, article.reason
    return article.status, article.reason


def _comments(database: Database, notes: Counter[str]) -> Iterator[tuple[Any, ...]]:
    table, parent = InfoComment, aliased(InfoComment)
    query = (
        select(table.id, table.create_time, table.update_time, table.user_id, table.news_id, table.content)
        .add_columns(parent.id.label("parent_id"), table.parent_id.is_not(None).label("is_answer"))
        .add_columns(table.like_count, and_(_is_readable, _is_written).label("is_written"))
        .join(InfoNews, InfoNews.id == table.news_id)
        .outerjoin(parent, and_(parent.id == table.parent_id, parent.status == VISIBLE))
    )
    for row in read_in_batches(database, query, (table.id,)):
        if not row.is_written:
            notes["comments that nobody may read are left out"] += 1
            continue
        if row.is_answer and row.parent_id is None:
            notes["answers to such comments answer nothing"] += 1
        times = row.create_time, row.update_time
        yield *times, row.id, row.user_id, row.news_id, row.content, row.parent_id, row.like_count


def _likes(database: Database) -> Iterator[tuple[Any, ...]]:
    table = InfoCommentLike
    query = (
        select(table.comment_id, table.user_id, table.create_time, table.update_time)
        .join(InfoComment, InfoComment.id == table.comment_id)
        .join(InfoNews, InfoNews.id == InfoComment.news_id)
        .where(_is_readable, _is_written)
    )
    for row in read_in_batches(database, query, (table.comment_id, table.user_id)):
        yield row.create_time, row.update_time, row.comment_id, row.user_id


def _favourites(database: Database) -> Iterator[tuple[Any, ...]]:
    table = InfoUserCollection
    query = (
        select(table.user_id, table.news_id, table.create_time)
        .join(InfoNews, InfoNews.id == table.news_id)
        .where(_is_written)
    )
    yield from map(tuple, read_in_batches(database, query, (table.user_id, table.news_id)))


def _follows(database: Database) -> Iterator[tuple[Any, ...]]:
    query = select(InfoUserFans.follower_id, InfoUserFans.followed_id)
    yield from map(tuple, read_in_batches(database, query, (InfoUserFans.follower_id, InfoUserFans.followed_id)))
