"""What the import linter cannot say, and the linter itself: the layers hold, processes stay lean, names stay nouns."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("functions", "worker", "infra")
LONGEST_MODULE = 350
IN_CONTAINERS = "infra/images/"
"""A container has a network and folders of its own; what it publishes is tests/infra/test_images_compose.py's."""
HEAVY = ("sqlalchemy", "alembic", "pymysql", "apscheduler", "stripe", "rich", "httpx2")
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "base", "core", "lib", "tools", "stuff"}


def modules(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def loaded_by(statement: str) -> set[str]:
    """Import in a fresh interpreter; return the top-level names and our own modules it then holds."""
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    names: list[str] = json.loads(answer.stdout)
    return {name.partition(".")[0] for name in names} | {name for name in names if name.startswith(PACKAGES)}


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert " 0 broken" in answer.stdout


def test_package_files_that_everybody_loads_are_empty() -> None:
    for package in ("functions", "worker", "worker/contract", "worker/domain", "infra", "infra/local"):
        assert (ROOT / package / "__init__.py").read_bytes() == b"", package


def test_functions_load_nothing_of_the_worker_but_its_language() -> None:
    loaded = loaded_by("import functions.app, functions.webhooks, functions.orders")
    assert [name for name in HEAVY if name in loaded] == []
    foreign = {name for name in loaded if name.startswith(("worker.", "infra"))}
    assert {name for name in foreign if not name.startswith("worker.contract")} == set()
    assert "worker.contract.names" in foreign


def test_help_of_the_command_line_loads_nothing_heavy() -> None:
    loaded = loaded_by("import worker.cli.main")
    assert [name for name in ("sqlalchemy", "temporalio", "stripe", "rich", "httpx2") if name in loaded] == []


def test_rules_and_language_are_plain_python() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in modules("worker/domain", "worker/contract")
        if path.name != "settings.py"
    ]
    assert len(names) > 15
    loaded = loaded_by("import " + ", ".join(names))
    outside = {name for name in loaded if not name.startswith(PACKAGES)}
    known = set(sys.stdlib_module_names) | set(loaded_by("pass")) | {"__mp_main__"}
    assert {name for name in outside - known if not name.startswith("_")} == set()


def test_no_module_is_longer_than_a_reader_bears() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in modules(*PACKAGES)
        if (lines := len(path.read_text("utf-8").splitlines())) > LONGEST_MODULE
    }
    assert long == {}


def test_modules_are_named_for_what_they_are() -> None:
    vague = [
        str(path.relative_to(ROOT))
        for path in modules(*PACKAGES, "tests")
        if {path.stem.lower(), path.parent.name.lower()} & VAGUE
    ]
    assert vague == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in modules(*PACKAGES)
        if path.name != "__init__.py" and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []


def text_files() -> Iterator[tuple[str, str]]:
    """Every file that is, or is about to be, part of the project."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    if answer.returncode != 0:
        pytest.skip("not a git checkout")
    for name in filter(None, answer.stdout.split("\0")):
        try:
            yield name, (ROOT / name).read_text("utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue


def test_nothing_listens_on_every_interface() -> None:
    # 0.0.0.0/0 is where traffic may go, not where anything listens.
    everywhere = re.compile(r"\b0\.0\.0\.0\b(?!/0)|\bhost\s*=\s*[\"'](::)?[\"']|--(host|ip|bind)[ =](::|\*)")
    found = [
        name
        for name, text in text_files()
        if name.startswith((*PACKAGES, "settings", "Makefile"))
        and not name.startswith(IN_CONTAINERS)
        and everywhere.search(text)
    ]
    assert found == []


def test_no_file_names_a_place_of_one_machine() -> None:
    place = re.compile(r"/(?:home|Users|root|work)/[\w.-]+")
    found = {
        name: match.group()
        for name, text in text_files()
        if (match := place.search(text))
        and not name.endswith(("test_architecture.py", ".lock"))
        and not name.startswith(IN_CONTAINERS)
    }
    assert found == {}


def test_no_lock_names_an_index() -> None:
    locks = [(name, text) for name, text in text_files() if name.endswith(".lock")]
    assert locks
    assert [name for name, text in locks if re.search(r"https?://|--index-url|--extra-index", text)] == []
    for name, text in locks:
        pinned = [line for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)]
        assert pinned, name
        assert all("==" in line for line in pinned), name
        assert text.count("--hash=sha256:") >= len(pinned), name
