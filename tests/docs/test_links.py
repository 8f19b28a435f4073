"""Every link of every page leads somewhere, and every diagram can be one. No page of the web is asked for."""

import re
from pathlib import Path

import pytest

from tests.docs.written import ROOT, anchors, blocks, links, pages


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", pages(), ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            broken.append(f"{link}: is not there")
        elif fragment and target.suffix == ".md" and fragment not in anchors(target):
            broken.append(f"{link}: has no such heading")
    assert broken == []


def test_there_are_links_and_they_are_read() -> None:
    assert sum(len(links(page)) for page in pages()) > 100


KINDS = {"stateDiagram-v2", "flowchart", "sequenceDiagram"}
"""Not Mermaid's C4: what it draws lays labels over each other."""


def diagrams() -> list[tuple[str, str]]:
    return [(name(page), text) for page in pages() for text in blocks(page, "mermaid")]


@pytest.mark.parametrize(
    ("page", "text"), diagrams(), ids=[f"{page}-{number}" for number, (page, _) in enumerate(diagrams())]
)
def test_diagrams_can_be_read(page: str, text: str) -> None:
    """As far as can be told without Mermaid, which is no Python: the kind, brackets, quotes, blocks, known names."""
    lines = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("%%")]
    kind = lines[0].split()[0]
    assert kind in KINDS, page
    for line in lines:
        assert line.count('"') % 2 == 0, line
        bare = re.sub(r'"[^"]*"', "", line)
        assert bare.count("(") == bare.count(")"), line
        assert bare.count("[") == bare.count("]"), line
    opened = len(re.findall(r"^\s*(?:subgraph|loop|alt|opt|par|critical|rect|box)\b", text, re.MULTILINE))
    assert opened == len(re.findall(r"^\s*end\s*$", text, re.MULTILINE))
    assert text.count("{") == text.count("}")
    # A semicolon outside of quotes ends a statement; so it did in a title, and the diagram was none.
    assert [line for line in lines if ";" in re.sub(r'"[^"]*"', "", line)] == []
    if kind == "flowchart":
        known = set(re.findall(r"^\s*(?:subgraph )?(\w+) ?[\[({]", text, re.MULTILINE))
        bare = re.sub(r'"[^"]*"', "said", text)
        related = re.findall(r"^\s*(\w+) --(?: [^>]+? --)?> (\w+)$", bare, re.MULTILINE)
        assert len(related) == bare.count("--> ")
        assert {each for pair in related for each in pair} <= known
    elif kind == "sequenceDiagram":
        known = set(re.findall(r"^\s*(?:participant|actor) (\w+)", text, re.MULTILINE))
        spoken = re.findall(r"^\s*(\w+)\s*(?:-->>|->>|--\)|-\)|-x)\s*[+-]?(\w+)\s*:", text, re.MULTILINE)
        assert spoken
        assert {each for pair in spoken for each in pair} <= known


def test_there_are_diagrams() -> None:
    assert len(diagrams()) > 4
