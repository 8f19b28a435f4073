"""Every program of infra/ explains itself and refuses what it does not know, instead of doing its work on a word."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

from infra.local import demo
from infra.local.layout import PROJECT

STARTED_BY_US = {"infra.local.child"}
"""Its arguments are another program and that one's."""


def named(file: Path) -> str:
    return ".".join(file.relative_to(PROJECT).with_suffix("").parts)


def programs() -> set[str]:
    found = {
        named(file): file.read_text("utf-8")
        for file in (PROJECT / "infra").rglob("*.py")
        if re.search(r'^if __name__ == "__main__":', file.read_text("utf-8"), re.MULTILINE)
    }
    return set(found) - STARTED_BY_US


def test_they_are_found() -> None:
    assert {"infra.local.demo", "infra.local.clean", "infra.bundle.__main__", "infra.deploy.__main__"} <= programs()


@pytest.fixture(params=sorted(programs()))
def program(request: pytest.FixtureRequest) -> ModuleType:
    """One of them; one that reads no arguments is not started here, where it might clean up what tests need."""
    module = importlib.import_module(request.param)
    assert "ArgumentParser(" in Path(str(module.__file__)).read_text("utf-8"), "it reads no arguments"
    return module


def test_it_explains_itself(program: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: ")


def test_it_refuses_what_it_does_not_know(program: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["--no-such-thing"])
    assert ended.value.code == 2
    assert "usage: " in capsys.readouterr().err


@pytest.mark.parametrize("told", ["39", "-1", "many", "1e3"])
def test_a_demo_of_too_few_orders_is_refused(
    told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORDERS_DEMO__ORDERS", told)
    with pytest.raises(SystemExit) as ended:
        demo.main([])
    assert ended.value.code == 2
    assert "40 at least" in capsys.readouterr().err
