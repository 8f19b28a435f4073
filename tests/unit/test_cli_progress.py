"""How far a run is: nothing where nobody looks, lines where they are asked for, a bar on a terminal once it takes long."""

import time

import pytest

from worker.cli import progress
from worker.cli.progress import Meter, line, wanted
from worker.contract.reconciliation import Progress

STEPS = (Progress(step="gathering"), Progress(step="sifting", done=1, total=4, rows=4000))


class Terminal:
    """A terminal's stderr: takes what is written."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


def told(*, shown: bool) -> None:
    with Meter(shown=shown) as meter:
        for step in STEPS:
            meter.tell(step)


def test_without_a_terminal_it_is_said_in_lines_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    told(shown=False)
    assert capsys.readouterr() == ("", "")
    told(shown=True)
    assert capsys.readouterr() == ("", "gathering\nsifting 1 of 4, 4000 rows\n")
    assert (wanted(None), wanted(True), wanted(False)) == (False, True, False)
    assert line(Progress(step="a.csv", done=1, total=2, rows=9), "bytes") == "a.csv 1 of 2, 9 bytes"


def test_a_terminal_sees_a_bar_with_rate_and_remaining_time_once_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    for name, value in (("COLUMNS", "120"), ("TERM", "xterm"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    assert wanted(None)
    with Meter(shown=True, patience_seconds=60) as meter:
        meter.tell(STEPS[1])
    assert terminal.text == "", "what is over soon needs no bar"
    with Meter(shown=True, patience_seconds=0) as meter:
        deadline = time.monotonic() + 60
        for done in range(1, 5):
            meter.tell(Progress(step="sifting", done=done, total=4, rows=4000))
            before = len(terminal.text)
            while len(terminal.text) == before and time.monotonic() < deadline:
                time.sleep(0.01)
    for words in ("sifting", " of 4", "rows/s", " left"):
        assert words in terminal.text, terminal.text


def test_patience_is_what_the_documentation_says() -> None:
    assert progress.PATIENCE_SECONDS == 2.0
