"""Decisions are numbered without a gap, listed, and each says why, what, what it costs and what was measured."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "infra" / "docs" / "decisions"
RECORDS = sorted(file for file in FOLDER.glob("*.md") if file.name != "README.md")


def test_numbers_have_no_gap_and_the_list_has_all_of_them() -> None:
    assert [int(file.name[:4]) for file in RECORDS] == list(range(1, len(RECORDS) + 1))
    listed = re.findall(r"^\| (\d+) \| \[(.+)\]\((.+)\) \|$", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    titles = [file.read_text("utf-8").partition("\n")[0] for file in RECORDS]
    assert [(f"# {number}. {title}", name) for number, title, name in listed] == [
        (title, file.name) for title, file in zip(titles, RECORDS, strict=True)
    ]


@pytest.mark.parametrize("record", RECORDS, ids=lambda file: file.stem)
def test_a_decision_is_whole(record: Path) -> None:
    parts = re.split(r"^## ", record.read_text("utf-8"), flags=re.MULTILINE)
    assert [part.partition("\n")[0] for part in parts[1:]] == ["Context", "Decision", "Consequence", "Measured"]
    assert all(len(part.partition("\n\n")[2].strip()) > 5 for part in parts[1:])
    assert re.search(r" [a-z]", parts[0]), "the title is a sentence"


@pytest.mark.parametrize("record", RECORDS, ids=lambda file: file.stem)
def test_what_a_decision_names_is_there(record: Path) -> None:
    root = FOLDER.parents[2]
    named = re.findall(r"`((?:functions|worker|infra|tests)/[\w/.-]+)`", record.read_text("utf-8"))
    assert [name for name in named if not (root / name).exists()] == []
