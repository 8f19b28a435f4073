"""A private Temporal server: the development server with a database file, tuned to be tested against."""

import shutil
import sys
from pathlib import Path

from infra.local.errors import MissingProgramError
from worker.contract.names import SEARCH_ATTRIBUTE_TYPES

# By default the server hands out 20 steps a second for each of its (one) shards: a workflow of ten steps would
# spend most of its time waiting for that limit and every measurement would be of the limit.
_RATES = (
    "history.transferProcessorMaxPollRPS",
    "history.timerProcessorMaxPollRPS",
    "history.visibilityProcessorMaxPollRPS",
)
_RATE = 500

# What has only just ended is deleted once the server has noted in its database how far its queues are: by default
# that takes about half a minute, for which `orders users erase` and everyone who waits for it would sit there.
_NOTED = ("history.transferProcessorUpdateAckInterval", "history.visibilityProcessorUpdateAckInterval")

# A queue is cut into four by default, for clusters that one host cannot carry: what is asked for in one and waits in another
# is passed on. One host has no use for that; whole, an order costs it a tenth less CPU (65 instead of 72 ms).
WHOLE_QUEUES = ("matching.numTaskqueueReadPartitions", "matching.numTaskqueueWritePartitions")

SETTINGS = {"GOGC": "400"}
"""Variables of the server: an eighth less CPU for collecting garbage less often, and 100 MB more memory."""


def server_program() -> Path:
    """Return the `temporal` program of this environment. Raises MissingProgramError when there is none."""
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.is_file() else shutil.which("temporal")
    if found is None:
        raise MissingProgramError("the `temporal` program is missing: run `make setup`")
    return Path(found)


def command(database: Path, port: int, ui_port: int, codec: str | None = None) -> list[str]:
    """Return the command line that serves gRPC on `port` and the UI on `ui_port`, both on 127.0.0.1.

    `codec` is where the UI has payloads opened.
    """
    options = [
        *(("--dynamic-config-value", f"{rate}={_RATE}") for rate in _RATES),
        *(("--dynamic-config-value", f'{interval}="1s"') for interval in _NOTED),
        *(("--dynamic-config-value", f"{partitions}=1") for partitions in WHOLE_QUEUES),
        # A workflow whose code fails is told of after two tries: seconds here, where the server's own five are minutes.
        ("--dynamic-config-value", "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2"),
        # A write-ahead log survives the death of the process, and is 2.7 times faster than the default journal.
        ("--sqlite-pragma", "journal_mode=wal"),
        ("--sqlite-pragma", "synchronous=1"),
        *((("--ui-codec-endpoint", codec),) if codec else ()),
        *(("--search-attribute", f"{name}={kind}") for name, kind in SEARCH_ATTRIBUTE_TYPES.items()),
    ]
    return [
        *(str(server_program()), "server", "start-dev", "--ip", "127.0.0.1"),
        *("--port", str(port), "--ui-port", str(ui_port), "--db-filename", str(database)),
        *("--log-level", "error", "--ui-disable-news-fetch"),
        *(word for option in options for word in option),
    ]
