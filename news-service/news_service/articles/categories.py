"""The categories of articles, and how administrators change them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any  # Rows and values of differing columns.

from sqlalchemy import Row, Select, bindparam, delete, select, update
from sqlalchemy.exc import IntegrityError

from chassis.database import Database, utc_now
from chassis.errors import NotFound, SlugTaken, StateConflict
from news_service.articles.tables import NEWEST_CATEGORY_ID, InfoCategory, InfoNews
from news_service.tables import HIGHEST_ID

_categories, _news = InfoCategory.__table__.c, InfoNews.__table__.c
_COLUMNS = (_categories.id, _categories.name, _categories.slug, _categories.position)
ALL_CATEGORIES: Select[*tuple[Any, ...]] = select(*_COLUMNS).order_by(_categories.position, _categories.id)
"""The query of all categories in their order; its rows make a `Category` each."""

_CATEGORY: Select[*tuple[Any, ...]] = select(*_COLUMNS).where(_categories.id == bindparam("category_id"))
_STATES = range(-1, 4)  # The index of a category's articles begins with their state.


@dataclass(frozen=True)
class Category:
    """A category; id 1 (最新) means all articles. ``slug`` names it in addresses, ``position`` orders the list."""

    id: int
    name: str
    slug: str | None = None
    position: int = 0


def category_of(row: Row[*tuple[Any, ...]]) -> Category:
    """Make a category of a row of `ALL_CATEGORIES`."""
    return Category(row.id, row.name, row.slug, row.position)


@dataclass(frozen=True)
class Removal:
    """How many articles moved, and whether the category is gone; if not, the same call goes on."""

    moved: int
    is_complete: bool


@dataclass(frozen=True)
class Categories:
    """Changes categories for administrators."""

    database: Database
    batch: int = 500
    most_per_call: int = 10_000
    clock: Callable[[], datetime] = utc_now

    def add(self, values: dict[str, Any]) -> Category:
        """Add a category with ``name``, ``slug`` and ``position``.

        Raises:
            SlugTaken: another category has the slug.
        """
        now = self.clock()
        try:
            with self.database.write() as session:
                category = InfoCategory(create_time=now, update_time=now, **values)
                session.add(category)
        except IntegrityError as error:
            raise SlugTaken from error
        return self._read(category.id)

    def change(self, category_id: int, values: dict[str, Any]) -> Category:
        """Change some values of a category; 最新 keeps its name.

        Raises:
            NotFound: there is none.
            SlugTaken: another category has the slug.
            StateConflict: 最新 would get another name.
        """
        category = self._read(category_id)
        if category_id == NEWEST_CATEGORY_ID and values.get("name", category.name) != category.name:
            raise StateConflict("This category stands for all articles and keeps its name.")
        if values:
            changes = values | {"update_time": self.clock()}
            try:
                with self.database.write() as session:
                    session.execute(update(InfoCategory).where(InfoCategory.id == category_id).values(changes))
            except IntegrityError as error:
                raise SlugTaken from error
        return self._read(category_id)

    def remove(self, category_id: int, *, move_to: int | None) -> Removal:
        """Remove a category that is empty, or after its articles have moved to another one, batch by batch.

        Raises:
            NotFound: there is none, or none to move to.
            StateConflict: it has articles, or it is 最新.
        """
        self._read(category_id)
        if NEWEST_CATEGORY_ID in (category_id, move_to) or category_id == move_to:
            raise StateConflict("This category stands for all articles, or for those that are to move.")
        moved = self._move_articles(category_id, self._read(move_to).id) if move_to is not None else 0
        if moved >= self.most_per_call:
            return Removal(moved, is_complete=False)
        try:
            with self.database.write() as session:
                session.execute(delete(InfoCategory).where(InfoCategory.id == category_id))
        except IntegrityError as error:  # By the foreign key of an article, perhaps of one that was just written.
            raise StateConflict("The category has articles.") from error
        return Removal(moved, is_complete=True)

    def _move_articles(self, category_id: int, target_id: int) -> int:
        moved = 0
        for status in _STATES:
            some = select(_news.id).where(_news.status == status, _news.category_id == category_id)
            while moved < self.most_per_call:
                with self.database.write() as session:
                    ids = session.scalars(some.limit(self.batch)).all()
                    # Locked in the order of ids, as by a flush of views.
                    session.execute(select(_news.id).where(_news.id.in_(ids)).order_by(_news.id).with_for_update())
                    # Nobody edits the articles: their versions and times stay.
                    session.execute(update(InfoNews).where(InfoNews.id.in_(ids)).values(category_id=target_id))
                moved += len(ids)
                if len(ids) < self.batch:
                    break
        return moved

    def _read(self, category_id: int) -> Category:
        if not 0 < category_id <= HIGHEST_ID:
            raise NotFound
        rows = self.database.read_rows(_CATEGORY, {"category_id": category_id})
        if not rows:
            raise NotFound
        return category_of(rows[0])
