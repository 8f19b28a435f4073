"""Free TCP ports on loopback that stay ours while a member is killed and started again.

They are drawn from below the ranges from which Linux (32768 and up) and macOS (49152 and up) take the source
ports of outgoing connections: a port found by binding to 0 may be taken by a mere client while its owner restarts.
"""

import secrets
import socket

FIRST, LAST = 20_000, 32_000

_given: set[int] = set()
"""What this process was given: whoever asked for it may not listen yet."""


def is_free(port: int) -> bool:
    """Tell whether `port` can be listened on at 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
        return True


def free_port(taken: frozenset[int] = frozenset()) -> int:
    """Return a port that is free now and not in `taken`; another program may still win the race for it."""
    for attempt in range(400):
        # By nobody's seed: processes that were made alike, or test alike, would all draw the same.
        port = FIRST + secrets.randbelow(LAST - FIRST)
        news = port not in _given or attempt >= 200
        if news and port not in taken and is_free(port):
            _given.add(port)
            return port
    raise OSError(f"no free port found between {FIRST} and {LAST}")
