"""What of a lake in a folder has had its time. A bucket's own lifecycle does the same; see infra/aws/modules/storage.

Lines of statement files stay: nothing else holds them. What runs were gathered with goes after its time, and with it the
possibility of doing them again; their answers are in the database and the reports.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

OF_RUNS = ("runs", "read", "lasting")
UNFINISHED = "reading"
UNFINISHED_KEPT = timedelta(days=7)
"""A run that was cut off and not gone on with for so long will not be."""
_HALF_WRITTEN_KEPT = timedelta(days=1)
ABANDONED = ("orders-drop-*", "orders-lake-*", "orders-report-*", "orders-spill-*", "orders-statement-*")
"""What processes make for themselves where files are temporary; one that is killed leaves it, at the size of a run."""
ABANDONED_KEPT = timedelta(hours=6)
"""No step lasts as long (worker/workflows/policies.py), and a command that does writes into what is its own."""


def kept_for(days: int) -> dict[str, timedelta]:
    """Return how long the files below each root are kept; a root that is not named keeps them for good."""
    kept = {UNFINISHED: UNFINISHED_KEPT}
    return kept | dict.fromkeys(OF_RUNS, timedelta(days=days)) if days else kept


def expire(lake: Path, kept: Mapping[str, timedelta], now: datetime) -> int:
    """Remove the files that were written too long ago, and folders that are left empty; return how many files."""
    removed = 0
    for path in _bottom_up(lake):
        root = path.relative_to(lake).parts[0]
        # Not empty, or gone: another replica keeps house, too.
        with suppress(OSError):
            age = now - datetime.fromtimestamp(path.stat().st_mtime, UTC)
            if path.is_dir():
                # Not one that was just made for a file that is on its way.
                if root in kept and path.parent != lake and age > _HALF_WRITTEN_KEPT:
                    path.rmdir()
            elif age > (_HALF_WRITTEN_KEPT if path.name.startswith(".") else kept.get(root, age)):
                path.unlink()
                removed += 1
    return removed


def clear(places: Iterable[Path], now: datetime) -> int:
    """Remove what killed processes of this user left in places for temporary files; return how many folders."""
    removed = 0
    for path in (path for place in set(places) for name in ABANDONED for path in place.glob(name)):
        # Another's, or gone: who shares the place keeps house, too.
        with suppress(OSError):
            ours = path.lstat().st_uid == os.getuid() and path.is_dir() and not path.is_symlink()
            if ours and now - _touched(path) > ABANDONED_KEPT:
                shutil.rmtree(path)
                removed += 1
    return removed


def _touched(folder: Path) -> datetime:
    latest = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    return datetime.fromtimestamp(latest, UTC)


def _bottom_up(lake: Path) -> Iterator[Path]:
    """Yield files, and after them the folders they are in; not what goes meanwhile, over which a `rglob` would raise."""
    for folder, _, names in os.walk(lake, topdown=False):
        yield from (Path(folder, name) for name in names)
        if Path(folder) != lake:
            yield Path(folder)
