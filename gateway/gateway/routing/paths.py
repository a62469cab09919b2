"""Templates of paths, and which of them a path belongs to: ``/orders``, ``/orders/{day}``, ``/orders/**``.

``{name}`` stands for one segment that is not empty. ``**`` is the last segment of a prefix, which names everything
below and the path in front of it: ``/orders/**`` names ``/orders``, ``/orders/`` and ``/orders/7/lines``.

The most specific template wins, whatever their order: one without placeholders, then one with placeholders, then a
prefix; of several, the one that is literal for longer.
"""

import re
from collections.abc import Mapping
from itertools import zip_longest

_SEGMENT = re.compile(r"[A-Za-z0-9\-._~!$&'()+,=:@]+")
_PLACEHOLDER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
_REST = "**"
MOST_SEGMENTS = 32


def template_problem(template: str) -> str | None:
    """Say why a text is no template; None if it is one."""
    if not template.startswith("/"):
        return "must begin with /"
    segments = template.split("/")[1:]
    if len(segments) > MOST_SEGMENTS:
        return f"has more than {MOST_SEGMENTS} segments"
    if _REST in segments[:-1]:
        return "** stands at the end alone"
    for number, segment in enumerate(segments):
        if segment in (".", ".."):
            return "holds . or .., which lead out of it"
        is_end = number == len(segments) - 1
        if (is_end and segment in ("", _REST)) or _PLACEHOLDER.fullmatch(segment):
            continue
        if not _SEGMENT.fullmatch(segment):
            return f"{segment!r} is neither a plain segment, nor {{name}}, nor ** at the end"
    return None


def canonical(path: str) -> str:
    """Return a path as the most lenient service reads it: no case, no empty segments, nothing behind a semicolon."""
    segments = (segment.partition(";")[0] for segment in path.split("/"))
    return "/" + "/".join(filter(None, segments)).casefold()


def shape_of(template: str) -> str:
    """Return a template without the names of its placeholders, so that templates can be compared."""
    return re.sub(r"\{[^}]*\}", "{}", template)


def specificity(template: str) -> tuple[int, ...]:
    """Return what templates are sorted by: of two that a path belongs to, the smaller wins."""
    ranks = [2 if each == _REST else int(each.startswith("{")) for each in template.split("/")[1:]]
    return (max(ranks), *ranks)


def do_overlap(one: str, other: str) -> bool:
    """Say whether a path can belong to both templates."""
    for here, there in zip_longest(one.split("/")[1:], other.split("/")[1:]):
        if _REST in (here, there):
            return True
        if here is None or there is None:
            return False
        if here != there and not (here.startswith("{") and there) and not (there.startswith("{") and here):
            return False
    return True


class _Node:
    """What stands behind one beginning of segments."""

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.placeholder: _Node | None = None
        self.value: str | None = None
        self.prefix: str | None = None

    def add(self, segments: list[str], value: str) -> None:
        node = self
        for segment in segments:
            if segment == _REST:
                node.prefix = value
                return
            if segment.startswith("{"):
                node.placeholder = node.placeholder or _Node()
                node = node.placeholder
            else:
                node = node.literals.setdefault(segment, _Node())
        node.value = value

    def find(self, segments: list[str], at: int, *, in_prefixes: bool) -> str | None:
        """Return the value of the first match, literal segments first. Each node is looked at once, at most."""
        if at == len(segments):
            return self.prefix if in_prefixes else self.value
        child, found = self.literals.get(segments[at]), None
        if child is not None:
            found = child.find(segments, at + 1, in_prefixes=in_prefixes)
        if found is None and self.placeholder is not None and segments[at]:
            found = self.placeholder.find(segments, at + 1, in_prefixes=in_prefixes)
        return self.prefix if found is None and in_prefixes else found


class PathIndex:
    """Finds the value of the most specific template that a path belongs to."""

    def __init__(self, values: Mapping[str, str]) -> None:
        """Take a value for each template."""
        self._exact: dict[str, str] = {}
        self._root = _Node()
        for template, value in values.items():
            if "{" in template or template.endswith(f"/{_REST}"):
                self._root.add(template.split("/")[1:], value)
            else:
                self._exact[template] = value

    def find(self, path: str) -> str | None:
        """Return the value for a path, which begins with a slash; None if it belongs to no template."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        segments = path.split("/")[1:]
        found = self._root.find(segments, 0, in_prefixes=False)
        return found if found is not None else self._root.find(segments, 0, in_prefixes=True)
