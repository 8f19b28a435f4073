"""The local stack, where one runs in this checkout: whether its processes live and its ports answer."""

import json

from worker.cli.checks.line import Line, fail, ok
from worker.cli.checks.servers import unreachable
from worker.cli.dev import STATE_NAME, alive, stack_directory
from worker.contract.settings import ROOT


def ports() -> list[Line]:
    """Look at every port that the stack's state file names."""
    try:
        state = json.loads((stack_directory(ROOT) / STATE_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return [ok("local stack", "none runs here (`make dev` starts one)")]
    gone = [member["name"] for member in state["members"] if not alive(member["pid"])]
    silent = [f"{name} ({port})" for name, port in sorted(state["ports"].items()) if unreachable("127.0.0.1", port)]
    remedy = "`orders dev status` names the logs; end it with Ctrl-C and `make dev` again"
    lines = []
    if gone:
        lines.append(fail("local stack", f"gone: {', '.join(gone)}", remedy))
    if silent:
        lines.append(fail("local stack", f"ports that do not answer: {', '.join(silent)}", remedy))
    return lines or [ok("local stack", f"{len(state['members'])} processes, {len(state['ports'])} ports answer")]
