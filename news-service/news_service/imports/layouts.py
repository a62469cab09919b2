"""The tables that are imported: their classic column order, and what we make of their values."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.dumps.id_sets import IdSet
from chassis.dumps.report import TableReport
from chassis.dumps.values import RowRefused, Values
from chassis.texts import free_text
from news_service.articles.tables import APPROVED, IN_REVIEW, REJECTED, InfoCategory, InfoNews
from news_service.comments.tables import InfoComment, InfoCommentLike
from news_service.imports.authors import Authors
from news_service.imports.pictures import Pictures
from news_service.readers.tables import InfoUserCollection, InfoUserFans
from news_service.tables import Base
from news_service.writing.sanitising import clean_html
from news_service.writing.tables import NewsImage

_IDS_AT_ONCE = 10_000


class ParentMissing(Exception):
    """The comment that a comment answers is not there, or not yet."""


@dataclass
class KnownIds:
    """The ids that rows may point to: what the database holds, and what the import adds."""

    by_table: dict[str, IdSet] = field(default_factory=dict)

    def ids_of(self, session: Session, model: type[InfoCategory] | type[InfoNews] | type[InfoComment]) -> IdSet:
        """Return the ids of a table, read once."""
        if model.__tablename__ not in self.by_table:
            ids = self.by_table[model.__tablename__] = IdSet()
            for number in session.scalars(select(model.id).execution_options(yield_per=_IDS_AT_ONCE)):
                ids.add(number)
        return self.by_table[model.__tablename__]

    def add(self, row: Base) -> None:
        """Remember the id of a row that the import has added."""
        if isinstance(row, InfoCategory | InfoNews | InfoComment) and row.__tablename__ in self.by_table:
            self.by_table[row.__tablename__].add(row.id)

    def forget(self, session: Session, model: type[Base], row_id: object) -> None:
        """Forget an id that stands for something else here than in the dump: no row of the dump may point to it."""
        if issubclass(model, InfoNews | InfoComment):
            self.ids_of(session, model).discard(int(str(row_id)))


@dataclass(frozen=True)
class Preparation:
    """What a layout needs to prepare the values of a row."""

    session: Session
    known: KnownIds
    authors: Authors
    pictures: Pictures
    report: TableReport

    def shown_address(self, picture: str) -> str | None:
        """Return the address under which a picture is shown: one that was uploaded here, or as `Pictures` says."""
        folder, _, name = picture.rpartition("/")
        if folder == "/images" and self.session.get(NewsImage, name[:80]) is not None:
            return picture
        return self.pictures.shown_address(picture)

    def need_same_person(self, values: Values, *names: str) -> None:
        """Refuse a row whose user is not the same person here; one without a user is refused later."""
        for name in names:
            if values.get(name) is not None and not self.authors.are_same(values[name]):
                raise RowRefused(f"its user {self.authors.why_unknown()}")


@dataclass(frozen=True)
class Layout:
    """How one table stands in a dump.

    ``columns`` is the classic order, for INSERTs without a column list. ``natural_key`` finds a row of a dump without
    ids. ``prepare`` makes a row's values fit, notes what it changes, and raises `RowRefused` or `ParentMissing`.
    """

    model: type[Base]
    columns: tuple[str, ...]
    prepare: Callable[[Values, Preparation], None]
    natural_key: tuple[str, ...] = ()


def _nothing(_values: Values, _preparation: Preparation) -> None:
    pass


def _drop_invisible(values: Values, names: tuple[str, ...], preparation: Preparation) -> None:
    """Bring some texts to what is seen of them; the row is refused if the first of them shows nothing."""
    for name in names:
        text = values.get(name)
        if not isinstance(text, str):
            continue
        values[name] = shown = free_text(text)
        if text.strip() and not shown and name == names[0]:
            raise RowRefused(f"{name} has nothing to see")
        if shown != text:
            preparation.report.notes[f"invisible characters of {name} are left out"] += 1


def _prepare_category(values: Values, preparation: Preparation) -> None:
    _drop_invisible(values, ("name",), preparation)


def _prepare_article(values: Values, preparation: Preparation) -> None:
    notes = preparation.report.notes
    _drop_invisible(values, ("title", "source", "digest", "reason"), preparation)
    if values.get("status") not in (APPROVED, IN_REVIEW, REJECTED):
        notes[f"status {values.get('status')} became 1 (in review)"] += 1
        values["status"] = IN_REVIEW
    values["clicks"] = max(int(str(values.get("clicks") or 0)), 0)
    category_id = values.get("category_id")
    if category_id is not None and category_id not in preparation.known.ids_of(preparation.session, InfoCategory):
        notes[f"category {category_id} is not there, kept without a category"] += 1
        values["category_id"] = None
    if values.get("user_id") is not None and not preparation.authors.are_same(values["user_id"]):
        notes[f"its author {preparation.authors.why_unknown()}, kept without an author"] += 1
        del values["user_id"]  # Not None: an author who is here from an earlier import stays.
    shown_address = preparation.shown_address
    if "index_image_url" in values:
        image = values["index_image_url"]
        values["index_image_url"] = shown_address(str(image)) if image else None
        if image and values["index_image_url"] is None:
            notes["the picture is on no host that is kept, a drawn cover takes its place"] += 1
    if values.get("content") is not None:
        values["content"] = clean_html(str(values["content"]), shown_address)


def _prepare_comment(values: Values, preparation: Preparation) -> None:
    _need_article(values, preparation)
    try:
        preparation.need_same_person(values, "user_id")
    except RowRefused:
        _forget_unless_stored(values, preparation)
        raise
    _drop_invisible(values, ("content",), preparation)
    values["like_count"] = values.get("like_count") or 0
    parent_id = values.get("parent_id")
    if parent_id is not None and parent_id not in preparation.known.ids_of(preparation.session, InfoComment):
        raise ParentMissing


def _forget_unless_stored(values: Values, preparation: Preparation) -> None:
    """Forget the id of a comment that stays out, unless an earlier import stored the same one."""
    session, comment = preparation.session, InfoComment
    query = select(comment.news_id, comment.create_time).where(comment.id == values.get("id"))
    stored = session.execute(query).one_or_none()
    if stored is not None and tuple(stored) != (values.get("news_id"), values.get("create_time")):
        preparation.known.forget(session, comment, values["id"])


def _prepare_like(values: Values, preparation: Preparation) -> None:
    if values.get("comment_id") not in preparation.known.ids_of(preparation.session, InfoComment):
        raise RowRefused("its comment is not there")
    preparation.need_same_person(values, "user_id")


def _prepare_favourite(values: Values, preparation: Preparation) -> None:
    _need_article(values, preparation)
    preparation.need_same_person(values, "user_id")


def _prepare_follow(values: Values, preparation: Preparation) -> None:
    preparation.need_same_person(values, "follower_id", "followed_id")


def _need_article(values: Values, preparation: Preparation) -> None:
    if values.get("news_id") not in preparation.known.ids_of(preparation.session, InfoNews):
        raise RowRefused("its article is not there")


_TIMES = ("create_time", "update_time")
_ARTICLE = ("id", "title", "source", "digest", "content", "clicks", "index_image_url", "category_id", "user_id")
_COMMENT = ("id", "user_id", "news_id", "content", "parent_id", "like_count")
# In the order of import: a table comes after those that it points to, wherever the dump has it.
LAYOUTS = {
    layout.model.__tablename__: layout
    for layout in (
        Layout(InfoCategory, (*_TIMES, "id", "name"), _prepare_category, ("name",)),
        Layout(InfoNews, (*_TIMES, *_ARTICLE, "status", "reason"), _prepare_article, ("title", "create_time")),
        Layout(InfoComment, (*_TIMES, *_COMMENT), _prepare_comment),
        Layout(InfoCommentLike, (*_TIMES, "comment_id", "user_id"), _prepare_like),
        Layout(InfoUserCollection, ("user_id", "news_id", "create_time"), _prepare_favourite),
        Layout(InfoUserFans, ("follower_id", "followed_id"), _prepare_follow),
    )
}
