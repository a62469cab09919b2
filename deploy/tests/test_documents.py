"""The documents: decisions have numbers, and references lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(path for path in ROOT.rglob("*.md") if not re.search(r"/[._]", f"/{path.relative_to(ROOT)}"))


def _parts(document: str, head: str) -> dict[str, str]:
    """Split a document at its numbered entries; what follows a heading belongs to none."""
    starts = [*re.finditer(head, document, re.MULTILINE)]
    bodies = (
        re.split(r"^##? ", document[start.end() : end], maxsplit=1, flags=re.MULTILINE)[0]
        for start, end in zip(starts, [*(start.start() for start in starts[1:]), len(document)], strict=True)
    )
    return {start[1]: body for start, body in zip(starts, bodies, strict=True)}


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
