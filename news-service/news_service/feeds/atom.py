"""Atom feeds (RFC 4287) of the newest articles, with their whole content."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from news_service.articles.articles import Article
from news_service.site import Site

MEDIA_TYPE = "application/atom+xml; charset=utf-8"
_ATOM = "{http://www.w3.org/2005/Atom}"
_XML = "{http://www.w3.org/XML/1998/namespace}"
_EMPTY_SINCE = datetime(1970, 1, 1, tzinfo=UTC)
# XML 1.0 (2.2) has no way to write these; articles of a dump may hold them.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
register_namespace("", _ATOM.strip("{}"))


@dataclass(frozen=True, kw_only=True)
class Feed:
    """What a feed is: its title, its own path, the path of the page that it follows, and the site."""

    title: str
    path: str
    page_path: str
    site: Site

    def write(self, articles: Iterable[Article], names: dict[int, str]) -> bytes:
        """Write the feed as XML; ``names`` are authors' nick names, and the source stands in for an unknown one."""
        listed = list(articles)
        feed = Element(f"{_ATOM}feed", {f"{_XML}lang": "zh-CN", f"{_XML}base": f"{self.site.url}/"})
        _add(feed, "id", f"{self.site.url}{self.path}")
        _add(feed, "title", self.title)
        _add(feed, "updated", _rfc_3339(max((each.updated_at for each in listed), default=_EMPTY_SINCE)))
        _add(feed, "link", rel="self", type="application/atom+xml", href=f"{self.site.url}{self.path}")
        _add(feed, "link", rel="alternate", type="text/html", href=f"{self.site.url}{self.page_path}")
        _add(_add(feed, "author"), "name", self.site.name)
        for article in listed:
            name = names.get(article.author_id) if article.author_id is not None else None
            self._add_entry(feed, article, name or article.source or self.site.name)
        written: bytes = tostring(feed, encoding="utf-8", xml_declaration=True)
        return written

    def _add_entry(self, feed: Element, article: Article, author: str) -> None:
        address = f"{self.site.url}/news/{article.id}"
        entry = _add(feed, "entry")
        _add(entry, "id", address)
        _add(entry, "title", article.title)
        _add(entry, "link", rel="alternate", type="text/html", href=address)
        _add(entry, "published", _rfc_3339(article.published_at))
        _add(entry, "updated", _rfc_3339(article.updated_at))
        _add(_add(entry, "author"), "name", author)
        _add(entry, "summary", article.digest)
        # Escaped HTML, cleaned when it was stored; a reader resolves its paths against xml:base.
        _add(entry, "content", article.content, type="html")


def _add(parent: Element, name: str, text: str | None = None, **attributes: str) -> Element:
    child = SubElement(parent, f"{_ATOM}{name}", attributes)
    child.text = None if text is None else _NO_XML.sub("", text)
    return child


def _rfc_3339(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
