"""The page of error codes: the worker's tree and the problem documents of the functions.

A class tells what its code means in the first paragraph of its docstring. What to do, an error of the worker keeps as its
`remedy`, which the command line says as well; a problem of the functions in the second paragraph.
"""

import inspect
from collections.abc import Iterator
from typing import TypeVar

from functions import problems
from functions.problems import Problem
from infra.docs.markdown import cell, code, prose, section, table
from infra.docs.markdown import page as whole
from worker.cli import complaints
from worker.domain import errors
from worker.domain.errors import OrdersError

Raised = TypeVar("Raised", bound=Exception)


def page() -> str:
    """Return the page."""
    return whole(
        "Error codes",
        "A code is stable: programs may rely on it. It is the type of a failure in Temporal, the word after `orders: ` "
        "on the command line, the `code` of a problem document. What an operator does about each: "
        "[the runbook](../runbook.md#error-codes).",
        section(
            "The worker and the command line",
            "`worker/domain/errors.py`. What can be tried again is tried again by Temporal, without an end.",
            table(
                ("code", "tried again", "exit status", "meaning", "what to do"),
                (
                    (
                        code(kind.code),
                        "yes" if kind.retryable else "no",
                        str(exit_of(kind)),
                        *_told(kind),
                    )
                    for kind in sorted(of_worker(), key=lambda kind: kind.code)
                ),
            ),
        ),
        section(
            "The functions",
            prose(problems.__doc__ or ""),
            table(
                ("code", "status", "problem", "meaning", "what to do"),
                (
                    (code(kind.code), str(kind.status), code(kind.__name__), *_told(kind))
                    for kind in sorted(of_functions(), key=lambda kind: (kind.status, kind.code, kind.__name__))
                ),
            ),
        ),
    )


def of_worker() -> list[type[OrdersError]]:
    """Return every error with a code of its own."""
    return [kind for kind in _below(OrdersError) if kind.__module__ == errors.__name__ and "code" in vars(kind)]


def of_functions() -> list[type[Problem]]:
    """Return every problem that can be answered."""
    return [kind for kind in _below(Problem) if kind.__module__ == problems.__name__]


def exit_of(kind: type[OrdersError]) -> int:
    """Return what a command that ends with this error exits with."""
    return complaints.EXIT_DEPENDENCY if kind.code in complaints.DEPENDENCIES else complaints.EXIT_REFUSED


def what_to_do(kind: type[Exception]) -> str:
    """Return an error's remedy; of a problem the second paragraph, that of the class it is made from where it has none."""
    if issubclass(kind, OrdersError):
        return kind.remedy
    told = inspect.cleandoc(kind.__doc__ or "").split("\n\n")
    base = kind.__bases__[0]
    if len(told) > 1:
        return told[1]
    return what_to_do(base) if issubclass(base, Problem) else ""


def _told(kind: type[Exception]) -> tuple[str, str]:
    return cell(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0]), cell(what_to_do(kind))


def _below(kind: type[Raised]) -> Iterator[type[Raised]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)
