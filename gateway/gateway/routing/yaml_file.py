"""A YAML file as plain values, with the line of each of them, so that a problem can be found in the file.

Read are mappings with text keys, lists, texts, numbers, true, false and null. Doubled keys, anchors and other tags are
problems: a reader would see something else than the program.
"""

from dataclasses import dataclass, field
from typing import Any  # A value of the file, of any shape.

import yaml

Place = tuple[int | str, ...]
MOST_CHARACTERS = 256 * 1024
_STANDARD = "tag:yaml.org,2002:"
_SCALARS = frozenset(f"{_STANDARD}{kind}" for kind in ("str", "int", "float", "bool", "null"))


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong in one line of a file."""

    file: str
    line: int
    place: str
    text: str

    def __str__(self) -> str:
        """Write it as compilers do: ``orders.yaml:7: routes[1].access: …``."""
        return f"{self.file}:{self.line}: {f'{self.place}: ' if self.place else ''}{self.text}"


@dataclass
class YamlFile:
    """The value of a file, None if it is not readable at all, and the problems that were found on the way."""

    name: str
    value: Any = None
    problems: list[Problem] = field(default_factory=list)
    _lines: dict[Place, int] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)

    def line_of(self, place: Place) -> int:
        """Return the line of a value; of what encloses it, if it is missing."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def add_problem(self, place: Place, text: str) -> None:
        """Note a problem at a place."""
        self.problems.append(Problem(self.name, self.line_of(place), write_place(place), text))

    def read(self, text: str) -> None:
        """Read the whole text."""
        if len(text) > MOST_CHARACTERS:
            self.add_problem((), f"is longer than {MOST_CHARACTERS} characters")
            return
        try:
            loader = yaml.SafeLoader(text)
            node = loader.get_single_node()
            self.value = {} if node is None else self._read_node(loader, node, ())
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.problems.append(Problem(self.name, line, "", f"is no YAML: {error.problem}"))
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            self.problems.append(Problem(self.name, line, "", f"is no YAML: {error.reason}"))
        except RecursionError:
            self.add_problem((), "is nested too deeply")

    def _read_node(self, loader: yaml.SafeLoader, node: yaml.Node, place: Place) -> Any:
        self._lines.setdefault(place, node.start_mark.line + 1)
        if id(node) in self._seen:
            self.add_problem(place, "anchors and aliases are not read; write it out")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode) and node.tag == loader.DEFAULT_MAPPING_TAG:
            return self._read_mapping(loader, node, place)
        if isinstance(node, yaml.SequenceNode) and node.tag == loader.DEFAULT_SEQUENCE_TAG:
            return [self._read_node(loader, item, (*place, number)) for number, item in enumerate(node.value)]
        if node.tag not in _SCALARS:
            self.add_problem(place, f"the tag {node.tag.removeprefix(_STANDARD)} is not read")
            return None
        return self._read_scalar(loader, node, place)

    def _read_mapping(self, loader: yaml.SafeLoader, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            here = (*place, str(key.value))
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag != loader.DEFAULT_SCALAR_TAG:
                self.problems.append(Problem(self.name, line, write_place(place), "a key must be a text"))
            elif key.value in found:
                self.problems.append(Problem(self.name, line, write_place(here), "stands twice"))
            else:
                self._lines[here] = line
                found[key.value] = self._read_node(loader, value, here)
        return found

    def _read_scalar(self, loader: yaml.SafeLoader, node: yaml.Node, place: Place) -> Any:
        try:
            return loader.construct_object(node)
        except ValueError:  # An octal number with a 9, a number of a million digits.
            self.add_problem(place, "is no number that can be read")
            return None


def write_place(place: Place) -> str:
    """Write where a value stands: ``routes[1].limit.rate``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
