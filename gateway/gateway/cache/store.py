"""The stored answers of one worker process: by address and variant, bounded in bytes, the least used ones go first."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from gateway.cache.conditions import StoredAnswer
from gateway.cache.freshness import Reuse
from gateway.metrics import CACHE_BYTES, CACHE_ENTRIES
from gateway.proxy.request import Headers
from gateway.routing.rules import Rule

MOST_ENTRY_BYTES = 1024 * 1024
_MOST_VARIANTS = 16
# What Python's objects take beside their text, roughly.
_OBJECT_BYTES = 1024
_HEADER_BYTES = 200


class Key(NamedTuple):
    """What a request is for, as the service sees it: pages may hold their own address."""

    scheme: str
    host: str
    target: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry(StoredAnswer):
    """One stored answer. ``headers`` are the service's, without Age; ``ready_headers`` those that clients get."""

    rule: Rule
    reason: str
    ready_headers: Headers
    reuse: Reuse
    variant: tuple[tuple[str, str], ...]  # What the request had under the names in Vary.
    born_at: float  # By the cache's clock.

    @property
    def size_bytes(self) -> int:
        """What the entry takes of the store's bound."""
        lines = [*self.headers, *self.ready_headers, *self.variant]
        return len(self.body) + _OBJECT_BYTES + sum(len(name) + len(value) + _HEADER_BYTES for name, value in lines)


class Store:
    """The entries of one process; threads share it. With an address all of its variants go."""

    def __init__(self, most_bytes: int) -> None:
        self.most_entry_bytes = min(MOST_ENTRY_BYTES, most_bytes // 8)
        self.used_bytes = 0
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._variants: OrderedDict[Key, tuple[Entry, ...]] = OrderedDict()

    @property
    def count(self) -> int:
        """The number of addresses."""
        return len(self._variants)

    def find(self, key: Key, value_of: Callable[[str], str]) -> Entry | None:
        """Return the newest entry that matches a request; ``value_of`` tells what it has under a name."""
        for entry in self._variants.get(key, ()):
            for name, value in entry.variant:
                if value_of(name) != value:
                    break
            else:
                with self._lock:
                    if key in self._variants:
                        self._variants.move_to_end(key)
                return entry
        return None

    def variant_names(self, key: Key) -> tuple[str, ...]:
        """Return the names that told the newest variant from others."""
        variants = self._variants.get(key, ())
        return tuple(name for name, _ in variants[0].variant) if variants else ()

    def put(self, key: Key, entry: Entry, *, instead_of: Entry | None = None) -> None:
        """Store an entry in the place of its variant, and of ``instead_of``."""
        with self._lock:
            known = self._variants.get(key, ())
            others = [each for each in known if each is not instead_of and each.variant != entry.variant]
            self._replace(key, (entry, *others[: _MOST_VARIANTS - 1]))
            while self.used_bytes > self._most_bytes:
                self._replace(next(iter(self._variants)), ())

    def remove(self, key: Key, entry: Entry | None = None) -> None:
        """Remove one entry of an address, or all."""
        with self._lock:
            kept = tuple(each for each in self._variants.get(key, ()) if entry is not None and each is not entry)
            self._replace(key, kept)

    def _replace(self, key: Key, variants: tuple[Entry, ...]) -> None:
        old = self._variants.pop(key, ())
        if variants:
            self._variants[key] = variants
        self.used_bytes += _bytes(key, variants) - _bytes(key, old)
        CACHE_BYTES.set(self.used_bytes)
        CACHE_ENTRIES.set(len(self._variants))


def _bytes(key: Key, variants: tuple[Entry, ...]) -> int:
    return sum(entry.size_bytes for entry in variants) + (len(key.host) + len(key.target) if variants else 0)
