from typing import Any

import pytest

from gateway.routing.yaml_file import MOST_CHARACTERS, YamlFile


def read(text: str) -> YamlFile:
    file = YamlFile("a.yaml")
    file.read(text)
    return file


def test_values_come_with_their_lines() -> None:
    file = read("a:\n  - {b: 1}\n  - c: true\n    d: 'x'\n\ne: null\n")
    assert (file.value, file.problems) == ({"a": [{"b": 1}, {"c": True, "d": "x"}], "e": None}, [])
    places: list[tuple[Any, ...]] = [(), ("a",), ("a", 0, "b"), ("a", 1), ("a", 1, "d"), ("a", 1, "z", 3), ("e",)]
    assert [file.line_of(place) for place in places] == [1, 1, 2, 3, 4, 3, 6]


def test_an_empty_file_is_an_empty_mapping() -> None:
    assert read("# nothing\n").value == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3: a: stands twice"),
        ("a:\n  b: {c: 1, c: 2}", "a.yaml:2: a.b.c: stands twice"),
        ("a: &x [1]\nb: *x\n", "a.yaml:2: b: anchors and aliases are not read; write it out"),
        ("a:\n  b: !!python/object:os.system x", "a.yaml:2: a.b: the tag python/object:os.system is not read"),
        ("a:\n- !own x", "a.yaml:2: a[0]: the tag !own is not read"),
        ("a: 2026-11-27", "a.yaml:1: a: the tag timestamp is not read"),
        ("a: !!set {x}", "a.yaml:1: a: the tag set is not read"),
        ("a: 1\n3: x", "a.yaml:2: a key must be a text"),
        ("<<: {a: 1}", "a.yaml:1: a key must be a text"),
        ("a: 1\n b: 2", "a.yaml:2: is no YAML: mapping values are not allowed here"),
        ("a: [1", "a.yaml:1: is no YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\n---\nb: 2", "a.yaml:2: is no YAML: but found another document"),
        ("a: 1\nb: \x07", "a.yaml:2: is no YAML: special characters are not allowed"),
        ("a: 0o9\nb: 089", None),
        ("a: " + "[" * 20_000, "a.yaml:1: is nested too deeply"),
        ("a: " + "1" * 10_000, "a.yaml:1: a: is no number that can be read"),
        ("#" * (MOST_CHARACTERS + 1), f"a.yaml:1: is longer than {MOST_CHARACTERS} characters"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_a_reader_could_take_for_something_else_is_a_problem(text: str, problem: str | None) -> None:
    assert [str(each) for each in read(text).problems] == ([problem] if problem else [])


def test_aliases_cannot_grow() -> None:
    levels = "".join(f"- &a{number + 1} [{f'*a{number}, ' * 9}]\n" for number in range(50))
    assert 50 * 8 < len(read(f"- &a0 x\n{levels}").problems) < 50 * 10
