"""Record the histories of the paths that have none yet: `python -m tests.replay.record`. Needs no running stack.

With `--all` every path is recorded anew: only for changes that no running workflow can meet, in a workflow that was
never deployed. A change of deployed workflows guards the new commands with `workflow.patched` and keeps the old
histories: rename them to what was special about them, so that they are no path of today any more (nothing here ever
touches such a file), and record the paths again.
"""

import asyncio
import sys

from tests.replay.corpus import FOLDER, file_of, store
from tests.replay.fingerprint import BASELINE, fingerprints, write
from tests.replay.paths import PATHS
from tests.workflows.timeskipping import time_skipping_server


async def record(*, every: bool) -> int:
    """Run the paths that have no history, or every one, and store their histories; return how many."""
    histories = {}
    async with await time_skipping_server() as env:
        for workflow, walks in PATHS.items():
            for path, walk in walks.items():
                if every or not file_of(workflow, path).exists():
                    handle = await walk(env)
                    histories[file_of(workflow, path)] = await handle.fetch_history()
    for file, history in histories.items():
        store(file, history)
    return len(histories)


if __name__ == "__main__":
    print(f"{asyncio.run(record(every='--all' in sys.argv[1:]))} histories recorded in {FOLDER.name}/")  # noqa: T201  a program for a terminal
    write(fingerprints())
    print(f"fingerprints in {BASELINE.name}")  # noqa: T201
