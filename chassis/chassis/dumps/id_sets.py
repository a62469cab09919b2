"""Sets of ids that take one bit an id, so that an import's memory does not grow with its rows."""

from collections.abc import Iterator

_PAGE_BITS = 12
_IN_PAGE = (1 << _PAGE_BITS) - 1


class IdSet:
    """A set of integers: a million consecutive ids take some 150 KB, as Python's own set 60 MB."""

    def __init__(self) -> None:
        self._pages: dict[int, int] = {}

    def add(self, number: int) -> None:
        """Add an id."""
        page = number >> _PAGE_BITS
        self._pages[page] = self._pages.get(page, 0) | 1 << (number & _IN_PAGE)

    def discard(self, number: int) -> None:
        """Remove an id if it is there."""
        page = number >> _PAGE_BITS
        self._pages[page] = self._pages.get(page, 0) & ~(1 << (number & _IN_PAGE))

    def __contains__(self, number: object) -> bool:
        """Say whether an id is there; what is no integer is not."""
        if not isinstance(number, int):
            return False
        return bool(self._pages.get(number >> _PAGE_BITS, 0) >> (number & _IN_PAGE) & 1)

    def __len__(self) -> int:
        """Count the ids."""
        return sum(page.bit_count() for page in self._pages.values())

    def __iter__(self) -> Iterator[int]:
        """Give the ids in ascending order."""
        for number, page in sorted(self._pages.items()):
            yield from (number << _PAGE_BITS | bit for bit in range(page.bit_length()) if page >> bit & 1)
