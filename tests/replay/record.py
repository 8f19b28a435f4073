"""Record the histories anew: `python -m tests.replay.record`. Needs no running stack; takes about ten seconds.

Only for changes that no running workflow can meet: a new path, or a workflow that was never deployed. A change of
deployed workflows keeps the old histories and guards the new commands with `workflow.patched`; record the new
path under a new name then.
"""

import asyncio
import shutil

from tests.replay.corpus import FOLDER, file_of, store
from tests.replay.fingerprint import BASELINE, fingerprints, write
from tests.replay.paths import PATHS
from tests.workflows.timeskipping import time_skipping_server


async def record() -> int:
    """Run every path and store its history; return how many."""
    histories = {}
    async with await time_skipping_server() as env:
        for workflow, walks in PATHS.items():
            for path, walk in walks.items():
                handle = await walk(env)
                histories[file_of(workflow, path)] = await handle.fetch_history()
    shutil.rmtree(FOLDER, ignore_errors=True)
    for file, history in histories.items():
        store(file, history)
    return len(histories)


if __name__ == "__main__":
    print(f"{asyncio.run(record())} histories in {FOLDER.name}/")  # noqa: T201  a program for a terminal
    write(fingerprints())
    print(f"fingerprints in {BASELINE.name}")  # noqa: T201
