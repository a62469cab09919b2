"""The documents: numbered checks name their tests, decisions have numbers, and references lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXTS = frozenset({".css", ".html", ".in", ".js", ".lua", ".md", ".py", ".toml", ".yml", ""})
DOCUMENTS = sorted(path for path in ROOT.rglob("*.md") if not re.search(r"/[._]", f"/{path.relative_to(ROOT)}"))
# What names a page that is not part of the repository.
OUTSIDE = re.compile(
    r"\bSMS note\b|\bnote of the SMS\b|\bthe notes?'s\b|\bnotes/\w|\.\./(shared|notes)\b|\b(STYLE|DESIGN)\.md\b"
    r"|the project's trap list",
    re.IGNORECASE,
)


def _parts(document: str, head: str) -> dict[str, str]:
    """Split a document at its numbered entries; what follows a heading belongs to none."""
    starts = [*re.finditer(head, document, re.MULTILINE)]
    bodies = (
        re.split(r"^##? ", document[start.end() : end], maxsplit=1, flags=re.MULTILINE)[0]
        for start, end in zip(starts, [*(start.start() for start in starts[1:]), len(document)], strict=True)
    )
    return {start[1]: body for start, body in zip(starts, bodies, strict=True)}


def _checks(root: Path) -> dict[str, set[tuple[str, str]]]:
    """Number of every check, with the folder and name of each test that the page gives it."""
    found: dict[str, set[tuple[str, str]]] = {}
    for number, body in _parts((root / "docs" / "checks.md").read_text(), r"^- \*\*([TWN]\d+)\*\*").items():
        suites = re.split(r"^  - `([\w/-]+)`:", body, flags=re.MULTILINE)[1:]
        pairs = zip(suites[::2], suites[1::2], strict=True)
        found[number] = {(folder, name) for folder, names in pairs for name in re.findall(r"`(test_\w+)`", names)}
    return found


def _tests(root: Path) -> Iterator[tuple[str, str]]:
    """Folder and name of every test function."""
    for path in [*root.glob("*/tests/**/test_*.py"), *root.glob("tests-e2e/**/test_*.py")]:
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE):
            yield path.parent.relative_to(root).as_posix(), name


def test_every_numbered_test_stands_under_its_number(root: Path) -> None:
    numbered = {(int(match[2]), match[1].upper(), test) for test in _tests(root) if (match := _number_of(test[1]))}
    checks = _checks(root)
    assert [
        test for number, letter, test in sorted(numbered) if test not in checks.get(f"{letter}{number}", set())
    ] == []


def _number_of(name: str) -> re.Match[str] | None:
    return re.match(r"test_([twnTWN])(\d+)_", name)


def test_every_test_of_the_checks_exists_and_has_no_other_number(root: Path) -> None:
    there = set(_tests(root))
    for number, tests in _checks(root).items():
        assert tests - there == set(), number
        assert {f"{match[1].upper()}{int(match[2])}" for _, name in tests if (match := _number_of(name))} <= {number}


def test_a_check_without_a_test_is_told_to_be_open(root: Path) -> None:
    rows = (root / "docs" / "checks.md").read_text().partition("## Not proved yet")[2]
    listed = {number for row in re.findall(r"^\|([^|]+)\|", rows, re.MULTILINE) for number in re.findall(r"\w\d+", row)}
    checks = _checks(root)
    assert {number for number, tests in checks.items() if not tests} <= listed <= set(checks)


def test_every_decision_has_a_number_and_at_most_five_lines(root: Path) -> None:
    text = (root / "DECISIONS.md").read_text()
    entries = _parts(text, r"^## (D\d+ .+ \(\d{4}-\d\d-\d\d\))$")
    assert [title.partition(" ")[0] for title in entries] == [f"D{number + 1}" for number in range(len(entries))]
    assert len(entries) == len(re.findall(r"^## ", text, re.MULTILINE)) - 1, "a heading without number, title or date"
    assert [title for title, body in entries.items() if len(body.strip().splitlines()) > 5] == []
    assert [line for line in text.splitlines() if len(line) > 120 and not line.startswith("- [")] == []


def test_every_decision_stands_once_in_the_index_with_its_title(root: Path) -> None:
    text = (root / "DECISIONS.md").read_text()
    titles = re.findall(r"^## (D\d+) (.+) \(", text, re.MULTILINE)
    assert sorted(re.findall(r"^- \[(D\d+)\]\(#\S+\) (.+)$", text, re.MULTILINE)) == sorted(titles)


def _anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a document."""
    titles = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_to_something_in_the_repository(document: Path) -> None:
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r'\]\(([^)\s]+)\)|\b(?:src|href)="([^"]+)"', text)
    for target in (one or other for one, other in targets if "://" not in (one or other)):
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.is_relative_to(ROOT), target
        assert file.exists(), target
        assert not anchor or anchor in _anchors(file), target


def test_no_file_refers_to_a_page_outside_of_the_repository(root: Path) -> None:
    here = Path(__file__).relative_to(root)
    found = []
    for path in (path.relative_to(root) for path in root.rglob("*") if path.suffix in TEXTS):
        is_ours = not any(part[0] in "._" for part in path.parts[:-1]) and path != here
        if is_ours and (root / path).is_file() and not path.as_posix().startswith(("deploy/secrets",)):
            text = (root / path).read_text(errors="replace")
            found += [f"{path}: {match[0]}" for match in OUTSIDE.finditer(text)]
    assert found == []
