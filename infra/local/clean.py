"""`make clean`: remove what the local stack and the tools left in this checkout. Refuses while a stack runs (exit 5)."""

import argparse
import shutil
import sys
from pathlib import Path

from infra.local.layout import PROJECT
from infra.local.statefile import LOCK, is_running

CACHES = (".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache", "build", "dist")
NOT_OURS = {".venv", ".git"}


def main(arguments: list[str] | None = None) -> int:
    """Clean up and return the exit status."""
    argparse.ArgumentParser(prog="python -m infra.local.clean", description=__doc__).parse_args(arguments)
    local = PROJECT / ".local"
    running = [lock.parent for lock in local.glob(f"*/{LOCK}") if is_running(lock.parent)]
    if running:
        for directory in running:
            print(f"a stack runs in {directory.relative_to(PROJECT)}: stop it first (Ctrl-C where it was started)")
        return 5
    for folder in (local, *(PROJECT / name for name in CACHES), *_bytecode(PROJECT)):
        shutil.rmtree(folder, ignore_errors=True)
    print("clean: .local and the tools' caches are gone; .venv is kept")
    return 0


def _bytecode(folder: Path) -> list[Path]:
    found: list[Path] = []
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink() and entry.name not in NOT_OURS:
            found.extend([entry] if entry.name == "__pycache__" else _bytecode(entry))
    return found


if __name__ == "__main__":
    sys.exit(main())
