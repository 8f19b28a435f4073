"""The fake AWS: moto on a free loopback port, with what moto lacks for this infrastructure filled in.

Run by the Python of an environment of its own (see fake_aws.lock) as `python -m tests.infra.fake_aws SETTINGS`, from
the project's root. SETTINGS is a JSON file (see `settings.py`). The first line of output is the address; the rest is
a log of requests. Ends when its input ends, so that it cannot outlive the tests, or when it is terminated.
"""

import os
import signal
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.infra.fake_aws import (
    autoscaling,
    buckets,
    custom_domains,
    databases,
    functions,
    permissions,
    security_groups,
    services,
    tasks,
)
from tests.infra.fake_aws.settings import Settings


def main() -> int:
    """Serve until the input ends."""
    settings = Settings.read(sys.argv[1])
    for patch in (autoscaling, buckets, custom_domains, functions, security_groups, services):
        patch.apply()
    databases.apply(settings.master_password)
    tasks.apply(settings)
    application = permissions.Enforced(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    os.environ["MOTO_PORT"] = str(server.server_port)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    threading.Thread(target=_end_with_the_input, daemon=True).start()
    server.serve_forever()
    return 0


def _end_with_the_input() -> None:
    sys.stdin.read()
    tasks.end_all()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
