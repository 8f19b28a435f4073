"""What can go wrong with a local stack.

StackError
    StackRunningError        another supervisor owns the directory
    MemberFailedError        a member did not get ready, or ended on its own; carries the end of its log
    MissingProgramError      a program the stack needs is not installed
"""

from pathlib import Path


class StackError(Exception):
    """The root of the tree; `str()` is fit to be shown to a person."""


class StackRunningError(StackError):
    """Another live supervisor holds `directory`."""

    def __init__(self, directory: Path, owner: str) -> None:
        super().__init__(f"a stack already runs in {directory} (supervisor {owner}); stop it first")
        self.directory = directory


class MemberFailedError(StackError):
    """A member failed; `log_tail` holds the last lines that it wrote."""

    def __init__(self, member: str, reason: str, log: Path, log_tail: str) -> None:
        shown = "\n".join(f"    {line}" for line in log_tail.splitlines()) or "    (it wrote nothing)"
        super().__init__(f"{member} {reason}\n  last lines of {log}:\n{shown}")
        self.member = member
        self.reason = reason
        self.log = log
        self.log_tail = log_tail


class MissingProgramError(StackError):
    """A program is not installed; the message says how to get it."""
