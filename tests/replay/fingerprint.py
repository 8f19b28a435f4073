"""The order in which each workflow's methods issue commands, read from the source.

Replaying histories proves the paths that were recorded; this notices a change on any path. It sees calls of
`workflow.*` that become commands and calls of own methods that lead to one, in the order of evaluation, with the
activity they name. It does not see conditions: an `if` around a command is replay's business.
"""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from infra.local.layout import PROJECT

BASELINE = Path(__file__).with_name("fingerprints.json")
WORKFLOWS = PROJECT / "worker" / "workflows"

Fingerprints = dict[str, dict[str, list[str]]]
"""Commands by method, by class; functions of a module stand with each class of it."""

_ACTIVITIES = {
    f"{verb}_{kind}{suffix}"
    for verb in ("execute", "start")
    for kind in ("activity", "local_activity")
    for suffix in ("", "_method", "_class")
}
_COMMANDS = _ACTIVITIES | {
    "execute_child_workflow",
    "start_child_workflow",
    "continue_as_new",
    "sleep",
    "upsert_memo",
    "upsert_search_attributes",
    "patched",
    "deprecate_patch",
}
_MODULES = {"workflow", "asyncio"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def fingerprints() -> Fingerprints:
    """Return the fingerprints of the classes in the source tree that issue commands."""
    return read(*(file.read_text(encoding="utf-8") for file in sorted(WORKFLOWS.glob("*.py"))))


def baseline() -> Fingerprints:
    """Return the committed fingerprints."""
    committed: Fingerprints = json.loads(BASELINE.read_text(encoding="utf-8"))
    return committed


def write(found: Fingerprints) -> None:
    """Make these the committed fingerprints."""
    BASELINE.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read(*sources: str) -> Fingerprints:
    """Return the fingerprints of the classes of these modules: workflows, and what they leave commands to."""
    modules = [ast.parse(source) for source in sources]
    classes = [
        (node, [item for item in module.body if isinstance(item, Function)])
        for module in modules
        for node in module.body
        if isinstance(node, ast.ClassDef)
    ]
    # Methods that a workflow calls on an object of a class of ours which is no workflow, known by their names; they may
    # come to a command by way of such a method themselves.
    issuing: set[str] = set()
    while (
        more := {
            method
            for node, shared in classes
            if not _is_workflow(node)
            for method in _class_fingerprint(node, shared, issuing)
        }
    ) - issuing:
        issuing |= more
    found = {node.name: _class_fingerprint(node, shared, issuing) for node, shared in classes}
    return {name: methods for name, methods in found.items() if methods}


def _is_workflow(node: ast.ClassDef) -> bool:
    return any("workflow.defn" in ast.unparse(item) for item in node.decorator_list)


def _class_fingerprint(node: ast.ClassDef, shared: list[Function], elsewhere: set[str]) -> dict[str, list[str]]:
    functions = {item.name: item for item in shared}
    functions |= {f"self.{item.name}": item for item in node.body if isinstance(item, Function)}
    calls = {name: list(_calls(function)) for name, function in functions.items()}
    issuing: set[str] = set()

    def issues(call: ast.Call) -> bool:
        far = isinstance(call.func, ast.Attribute) and call.func.attr in elsewhere
        return far or _is_command(call) or _dotted(call.func) in issuing

    while more := {name for name, made in calls.items() if any(map(issues, made))} - issuing:
        issuing |= more
    return {
        name.removeprefix("self."): [_described(call) for call in calls[name] if issues(call)]
        for name in sorted(issuing)
    }


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls below a node in the order of their evaluation: arguments before what takes them."""
    for child in ast.iter_child_nodes(node):
        yield from _calls(child)
    if isinstance(node, ast.Call):
        yield node


def _is_command(call: ast.Call) -> bool:
    module, _, name = _dotted(call.func).partition(".")
    if module not in _MODULES:
        return False
    if name == "wait_condition":  # a command only when a timer goes with it
        return len(call.args) > 1 or any(keyword.arg == "timeout" for keyword in call.keywords)
    return name in _COMMANDS


def _described(call: ast.Call) -> str:
    """Return the call with the activities its arguments name, or the id of a patch."""
    called = ast.unparse(call.func)
    patch = called in {"workflow.patched", "workflow.deprecate_patch"}
    named = [ast.unparse(argument) for argument in call.args if patch or "Activities." in _dotted(argument)]
    return f"{called}({', '.join(named)})"


def _dotted(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
