"""`python -m infra.local.simulator`: serve the outside world on 127.0.0.1 until SIGTERM or SIGINT."""

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

import uvloop
from aiohttp import web

from infra.local.simulator.app import Options, build

_HOST = "127.0.0.1"
_DRAIN_SECONDS = 2.0


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.simulator", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="HTTP port on 127.0.0.1")
    parser.add_argument("--smtp-port", type=int, required=True, help="port of the SMTP sink on 127.0.0.1")
    parser.add_argument("--data", type=Path, required=True, help="folder of the state (made when absent)")
    parser.add_argument("--warehouse-secret", help="whsec_... the warehouse checks its callers with")
    parsed = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # One line a request would be all the log at thousands of orders; faults and give-ups are what matters.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    options = Options(data=parsed.data, smtp_port=parsed.smtp_port, warehouse_secret=parsed.warehouse_secret)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(options, parsed.port))
    except OSError as error:
        sys.stderr.write(f"simulator: cannot serve on port {parsed.port}: {error}\n")
        return 1
    return 0


async def _serve(options: Options, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    runner = web.AppRunner(build(options), shutdown_timeout=_DRAIN_SECONDS)
    try:
        await runner.setup()
        await web.TCPSite(runner, _HOST, port).start()
        logging.getLogger(__name__).info("simulator listens on http://%s:%d", _HOST, port)
        await stopped.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    sys.exit(main())
