"""The page of workflows: their names, ids, queues and messages, from the definitions that the worker registers."""

import ast
import importlib
import re
from collections.abc import Iterator
from typing import Any

from temporalio import workflow

from infra.docs import told
from infra.docs.markdown import cell, code, codes, first_line, prose, section, table
from infra.docs.markdown import page as whole
from worker.contract import ids, names
from worker.contract.names import SEARCH_ATTRIBUTE_TYPES, Queue, SearchAttribute, Urgency, WorkflowType

PACKAGE = "worker.workflows"


def page() -> str:
    """Return the page."""
    found = definitions()
    return whole(
        "Workflows",
        prose(names.__doc__ or ""),
        table(
            ("workflow", "id", "queue", "what it is"),
            (
                (
                    f"[{kind}](#{kind.lower()})",
                    codes(patterns().get(kind, ())),
                    codes(queues().get(kind, ())),
                    cell(first_line(module_of(found[kind]).__doc__)),
                )
                for kind in WorkflowType
            ),
        ),
        *(_workflow(found[kind]) for kind in WorkflowType),
        section("Ids", prose(ids.__doc__ or "")),
        section(
            "Queues",
            prose(Queue.__doc__ or ""),
            table(
                ("queue", "workflows", "meaning"),
                (
                    (
                        code(str(queue)),
                        codes(kind for kind, where in queues().items() if queue in where),
                        cell(told.texts_below(Queue).get(queue.name, "")),
                    )
                    for queue in Queue
                ),
            ),
        ),
        section(
            "Urgency",
            prose(Urgency.__doc__ or ""),
            table(
                ("priority", "name", "meaning"),
                (
                    (str(one.value), code(one.name), cell(told.texts_below(Urgency).get(one.name, "")))
                    for one in Urgency
                ),
            ),
        ),
        section(
            "Search attributes",
            "What people look for in the Temporal UI and with `temporal workflow list --query`. They are not sealed: "
            "Temporal sorts and finds by them.",
            table(
                ("attribute", "type", "meaning"),
                (
                    (
                        code(str(one)),
                        SEARCH_ATTRIBUTE_TYPES[one],
                        cell(told.texts_below(SearchAttribute).get(one.name, "")),
                    )
                    for one in SearchAttribute
                ),
            ),
        ),
    )


def definitions() -> dict[WorkflowType, Any]:
    """Return the SDK's definition of every workflow, by its type. Raises KeyError for a type without one."""
    found: dict[str, Any] = {}
    for module in told.modules_below(PACKAGE):
        for value in vars(module).values():
            definition = workflow._Definition.from_class(value) if isinstance(value, type) else None  # noqa: SLF001
            if definition is not None and definition.name is not None:
                found[definition.name] = definition
    return {kind: found[kind] for kind in WorkflowType}


def module_of(definition: Any) -> Any:
    """Return the module a workflow stands in."""
    return importlib.import_module(definition.cls.__module__)


def queues() -> dict[str, list[Queue]]:
    """Return by workflow's type the queues it runs on, read from the plan in worker/app.py."""
    types = {definition.cls.__name__: kind for kind, definition in definitions().items()}
    found: dict[str, list[Queue]] = {}
    for node in ast.walk(ast.parse((told.ROOT / "worker" / "app.py").read_text("utf-8"))):
        if not isinstance(node, ast.Dict):
            continue
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Attribute) and isinstance(key.value, ast.Name) and key.value.id == Queue.__name__:
                for name in ast.walk(value):
                    if isinstance(name, ast.Name) and name.id in types:
                        found.setdefault(types[name.id], []).append(Queue[key.attr])
    return found


def patterns() -> dict[str, list[str]]:
    """Return by workflow's type the shapes of its ids, as worker/contract/ids.py tells them."""
    found: dict[str, list[str]] = {}
    for name, function in vars(ids).items():
        match = re.search(r"`([a-z]+/\{[^`]+)`", function.__doc__ or "") if name.endswith("_workflow_id") else None
        if match is not None:
            for kind in _made_by(name.removesuffix("_workflow_id")):
                found.setdefault(kind, []).append(match[1])
    return found


def _made_by(noun: str) -> list[WorkflowType]:
    """Return whose ids a function makes, by the noun of its name: `event` is that of PROVIDER_EVENT."""
    noun = {"replay": "event"}.get(noun, noun)
    return [kind for kind in WorkflowType if noun.upper() in kind.name.split("_")]


def patches(definition: Any) -> list[tuple[str, str]]:
    """Return the patches of a workflow and of what it is made of: id, and the file that asks for it."""
    found: dict[str, str] = {}
    for module in told.siblings_of(module_of(definition)):
        for argument in _asked(told.tree_of(module)):
            name = argument.value if isinstance(argument, ast.Constant) else vars(module)[_name(argument)]
            found[str(name)] = f"{module.__name__.replace('.', '/')}.py"
    return sorted(found.items())


def _asked(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _PATCHING:
            yield node.args[0]


_PATCHING = frozenset({"patched", "deprecate_patch"})


def messages(definition: Any) -> Iterator[tuple[str, str, str]]:
    """Return kind, name and meaning of everything that a workflow answers to."""
    for kind, handlers in (
        ("update", definition.updates),
        ("signal", definition.signals),
        ("query", definition.queries),
    ):
        for name, handler in handlers.items():
            yield kind, str(name), first_line(getattr(handler, "fn", handler).__doc__)


def _workflow(definition: Any) -> str:
    kind = WorkflowType(definition.name)
    return section(
        kind,
        f"Id {codes(patterns().get(kind, ()))}, queue {codes(queues().get(kind, ()))}, "
        f"`{definition.cls.__module__.replace('.', '/')}.py`.",
        prose(module_of(definition).__doc__ or ""),
        table(
            ("message", "name", "what it does"),
            ((one, code(name), cell(what)) for one, name, what in messages(definition)),
        ),
        table(("patch", "asked for in"), ((code(name), code(file)) for name, file in patches(definition))),
    )


def _name(argument: ast.expr) -> str:
    assert isinstance(argument, ast.Name), "a patch is named by a text or by a constant of its module"
    return argument.id
