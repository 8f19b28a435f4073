"""`make docs`: the reference, rendered from the code into infra/docs/reference.

With `--check` nothing is written. Exit status: 0 written, or all is as it should be; 1 something is stale.
"""

import argparse
import sys

from infra.docs.markdown import COMMAND
from infra.docs.pages import FOLDER, rendered, stale


def main(arguments: list[str]) -> int:
    """Write the pages, or say which are stale, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m infra.docs", description="Render the reference from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; say what is stale, and exit with 1")
    asked = parser.parse_args(arguments)
    wanted = rendered()
    told = stale(wanted)
    if asked.check:
        sys.stderr.write("".join(f"docs: {line}; `{COMMAND}` writes it anew\n" for line in told))
        return 1 if told else 0
    FOLDER.mkdir(exist_ok=True)
    for file in set(FOLDER.glob("*.md")) - wanted.keys():
        file.unlink()
    for file, text in wanted.items():
        file.write_text(text, "utf-8")
    sys.stdout.write(f"docs: {len(wanted)} pages in {FOLDER.relative_to(FOLDER.parents[2])}, {len(told)} of them new\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
