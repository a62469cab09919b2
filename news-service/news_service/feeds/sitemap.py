"""The sitemap (sitemaps.org, protocol 0.9): an index, one part with the lists, and parts of articles.

A part holds the articles of a range of 10,000 ids, so that writing one costs the same at any size of the site, and a
part that nobody edits stays the same. The protocol allows 50,000 addresses a part and 50,000 parts.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element, SubElement, tostring

from sqlalchemy import bindparam, func, select

from chassis.database import Database, utc_now
from news_service.articles.articles import updated_at
from news_service.articles.listings import IS_OUT, Rows
from news_service.articles.tables import APPROVED, DRAFT, InfoNews
from news_service.site import Site
from news_service.tables import HIGHEST_ID

MEDIA_TYPE = "application/xml; charset=utf-8"
IDS_PER_PART = 10_000
_MOST_PARTS = 50_000
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
_news = InfoNews.__table__.c


def _by_id(query: Rows) -> Rows:
    """Narrow a query to public articles of a range of ids, in their order, along the primary key.

    The conditions on state and time are in no index (as `IS_OUT`): a planner would take that one, and sort.
    """
    is_approved = func.coalesce(_news.status, DRAFT) == APPROVED
    in_range = (_news.id > bindparam("after"), _news.id <= bindparam("until"))
    return query.where(*in_range, is_approved, IS_OUT).order_by(_news.id)


_FIRST = _by_id(select(_news.id)).limit(1)
_PART = _by_id(select(_news.id, _news.published_at, _news.update_time, _news.version))


@dataclass(frozen=True, kw_only=True)
class Sitemap:
    """Writes the parts of the sitemap of a site."""

    database: Database
    site: Site
    clock: Callable[[], datetime] = utc_now

    def write_index(self) -> bytes:
        """Write the index: the part of the lists, and each part that has a public article."""
        names = ["lists", *(f"{number}/articles" for number in self._numbers())]
        return _document("sitemapindex", "sitemap", ((f"{self.site.url}/sitemaps/{name}.xml", None) for name in names))

    def write_lists(self, category_ids: Iterable[int]) -> bytes:
        """Write the part with the home page and the pages of categories."""
        paths = ["/", *(f"/?category={category_id}" for category_id in category_ids)]
        return _document("urlset", "url", ((f"{self.site.url}{path}", None) for path in paths))

    def write_part(self, number: int) -> bytes | None:
        """Write the part with the articles of one range of ids; None if it has none."""
        if not 0 < number <= _MOST_PARTS:
            return None
        after = (number - 1) * IDS_PER_PART
        values = {"now": self.clock(), "after": after, "until": after + IDS_PER_PART}
        rows = self.database.read_rows(_PART, values)
        if not rows:
            return None
        return _document("urlset", "url", ((f"{self.site.url}/news/{row.id}", updated_at(row)) for row in rows))

    def _numbers(self) -> Iterator[int]:
        after, now = 0, self.clock()
        for _ in range(_MOST_PARTS):
            rows = self.database.read_rows(_FIRST, {"now": now, "after": after, "until": HIGHEST_ID})
            if not rows:
                return
            number = (rows[0].id - 1) // IDS_PER_PART + 1
            yield number
            after = number * IDS_PER_PART


def _document(root: str, item: str, addresses: Iterable[tuple[str, datetime | None]]) -> bytes:
    document = Element(root, xmlns=_NAMESPACE)
    for address, changed_at in addresses:
        entry = SubElement(document, item)
        SubElement(entry, "loc").text = address
        if changed_at is not None:
            SubElement(entry, "lastmod").text = changed_at.isoformat(timespec="seconds")
    written: bytes = tostring(document, encoding="utf-8", xml_declaration=True)
    return written
