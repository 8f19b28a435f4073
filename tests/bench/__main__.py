"""`python -m tests.bench NAME [options]`: run a benchmark by its name, or list what there is.

A benchmark is a module of this folder with a function `main`, or a folder of this folder with a `__main__.py`; the
first line of its docstring says what it measures. It prints a table, then as its last line one JSON object with every
figure. It exits non-zero when something is broken, never for being slow: which targets are missed is printed.
"""

import ast
import runpy
import sys
from pathlib import Path

_FOLDER = Path(__file__).parent


def benchmarks() -> dict[str, str]:
    """Return what each benchmark measures, by its name."""
    modules = {path.stem: path for path in _FOLDER.glob("*.py") if path.name != "__main__.py"}
    folders = {path.parent.name: path for path in _FOLDER.glob("*/__main__.py")}
    found = {name: ast.parse(path.read_text("utf-8")) for name, path in sorted({**modules, **folders}.items())}
    return {
        name: (ast.get_docstring(tree) or "").partition("\n")[0]
        for name, tree in found.items()
        if name in folders or any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)
    }


def main(arguments: list[str]) -> int:
    """Run the benchmark that the first argument names; return 2 when there is none by that name."""
    known = benchmarks()
    name = arguments[0] if arguments else ""
    if name not in known:
        said = f"there is no benchmark {name}" if name else "name a benchmark"
        sys.stderr.write(f"{said}: make bench BENCH=...\n")
        sys.stderr.writelines(f"  {each:16} {what}\n" for each, what in known.items())
        return 2
    module = f"tests.bench.{name}"
    sys.argv = [module, *arguments[1:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
