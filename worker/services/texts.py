"""Any number of texts by number, each written once and read in any order: in memory is only where each of them ends.

Up to `HELD` texts stay where they are. Beyond that they go into a file without a name, which is gone with its owner.
"""

import os
import tempfile
import weakref
from array import array
from typing import IO

HELD = 1_000


class Texts:
    """Texts, numbered from 0 as they are added."""

    def __init__(self) -> None:
        self._held: list[str] = []
        self._file: IO[bytes] | None = None
        self._ends = array("Q", [0])
        """Where in the file each text ends, and so the next begins."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._ends) - 1 + len(self._held)

    def add(self, text: str) -> int:
        """Add a text; return its number."""
        if len(self._held) >= HELD:
            self._put_by()
        self._held.append(text)
        return len(self) - 1

    def __getitem__(self, number: int) -> str:
        """Return the text of a number."""
        held = number - len(self._ends) + 1
        if held >= 0 or self._file is None:
            return self._held[held]
        begin, end = self._ends[number], self._ends[number + 1]
        return os.pread(self._file.fileno(), end - begin, begin).decode()

    def _put_by(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="orders-texts-")  # noqa: SIM115 - open as long as they are needed
            weakref.finalize(self, self._file.close)
        for text in self._held:
            self._ends.append(self._ends[-1] + self._file.write(text.encode()))
        self._file.flush()
        self._held = []
