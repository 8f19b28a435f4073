"""The report in a terminal and in a pipe."""

from dataclasses import replace

from tests.unit.reports_reading import printed, sample
from tests.unit.reports_sample import (
    BREAKS,
    LOST,
    RUN,
)


def test_terminal_draws_tables_and_a_pipe_gets_lines() -> None:
    drawn = printed(sample(), terminal_=True)
    assert "Unexplained" in drawn
    assert "╭" in drawn
    lines = printed(sample(), terminal_=False).splitlines()
    assert lines[0].startswith("breaks: 96 of 106 comparisons agree")
    assert [line.split("  ")[0] for line in lines] == (
        ["breaks: " + sample().sentence, "run"]
        + ["to do", "to do", "goes on", "goes on"]
        + ["statement", "open items", "statement"]
        + ["break"] * 5
        + ["pending"] * 4
        + ["warning"]
    )
    assert lines[7] == (
        "open items  EUR  opening 34.00  movements -38.08  late -35.50  closing -39.58  opened 6  cleared 0"
    )
    assert "unexplained 0.00" in lines[6]


def test_terminal_output_cannot_be_steered_by_names() -> None:
    nasty = replace(LOST, order_id="\x1b[2J[red]\x07")
    report = sample(breaks=(replace(BREAKS[0], finding=nasty),), findings=(nasty,), run=replace(RUN, counts=None))
    for drawn in (True, False):
        text = printed(report, terminal_=drawn)
        assert "\x07" not in text
        assert "\x1b[2J" not in text
        assert "[2J[red]" in text


def test_sums_of_currencies_stand_below_each_other_in_a_pipe() -> None:
    lines = [line for line in printed(sample(), terminal_=False).splitlines() if line.startswith("statement")]
    assert len(lines) > 1
    assert len({len(line) for line in lines}) == 1
    for word in ("ours", "theirs", "explained", "unexplained"):
        ends = {
            line.index(f" {word} ") + len(f" {word} ") + len(line.split(f" {word} ")[1].split("  ")[0])
            for line in lines
        }
        assert len(ends) == 1, word
