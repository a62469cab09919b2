"""What the site is called, and where people reach it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """The site's name, and its public address without a path, as ``https://news.example``.

    Addresses in feeds and in pages are made from it and never from the Host of a request: caches keep them.
    """

    url: str
    name: str = "新经资讯"
