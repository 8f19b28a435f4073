"""A process of the functions: what it loads, what it serves, and that it may fork."""

import dataclasses
import subprocess
import sys

from functions.app import create_app
from infra.local.freeports import free_port
from tests.unit.functions_settings import config
from worker.contract.settings import ROOT


def test_a_bridge_used_before_a_fork_works_in_the_child() -> None:
    program = """
import asyncio, os, sys
from functions.event_loop import LoopThread

async def answer():
    return 42

loop = LoopThread()
loop.held = "the parent's client"
assert loop.run(answer(), 5) == 42
child = os.fork()
if child == 0:
    os._exit(0 if loop.held is None and loop.run(answer(), 5) == 42 else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60, check=False).returncode == 0


def test_the_functions_import_neither_database_nor_worker_code() -> None:
    program = """
import sys
import functions.app
allowed = {"worker", "worker.contract"}
odd = [n for n in sys.modules if n.split(".")[0] in {"sqlalchemy", "pymysql", "apscheduler", "rich", "stripe", "infra"}
       or (n.split(".")[0] == "worker" and n not in allowed and not n.startswith("worker.contract."))]
sys.exit(",".join(odd) or 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, timeout=60, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_process_serves_its_own_functions_only() -> None:
    plain = config(f"127.0.0.1:{free_port()}")
    app = create_app(dataclasses.replace(plain, api=dataclasses.replace(plain.api, functions=("webhooks",))))
    served = {(rule.rule, *sorted(rule.methods or ())) for rule in app.url_map.iter_rules()}
    assert served == {("/webhooks/<source>", "POST")}
    assert app.test_client().get("/health/live").status_code == 404
    app.extensions["temporal"].close()
