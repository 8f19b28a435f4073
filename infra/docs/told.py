"""What source files tell beside what a running program knows: texts below a name, dictionaries as they are written."""

import ast
import importlib
import inspect
import itertools
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


@cache
def tree_of(module: ModuleType) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(inspect.getsource(module))


def texts_below(owner: type | ModuleType) -> dict[str, str]:
    """Return the texts that stand below the names of a class or module, by these names."""
    if isinstance(owner, ModuleType):
        body = tree_of(owner).body
    else:
        tree = tree_of(importlib.import_module(owner.__module__))
        found = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == owner.__name__]
        body = found[0].body if found else []
    return dict(_texts(body))


def modules_below(package: str) -> list[ModuleType]:
    """Return every module of a package, imported, in the order of their names."""
    folder = ROOT / package.replace(".", "/")
    files = sorted(file for file in folder.glob("*.py") if file.stem != "__init__")
    return [importlib.import_module(f"{package}.{file.stem}") for file in files]


def siblings_of(module: ModuleType) -> list[ModuleType]:
    """Return a module and what it imports of its own package, directly or not."""
    package = module.__name__.rpartition(".")[0]
    found: dict[str, ModuleType] = {}
    left = [module.__name__]
    while left:
        name = left.pop()
        if name in found:
            continue
        found[name] = importlib.import_module(name)
        left += [
            node.module
            for node in ast.walk(tree_of(found[name]))
            if isinstance(node, ast.ImportFrom) and node.module and node.module.rpartition(".")[0] == package
        ]
    return list(found.values())


def _texts(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for node, below in itertools.pairwise(body):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            yield target.id, inspect.cleandoc(str(below.value.value))
