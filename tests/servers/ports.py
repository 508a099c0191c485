"""Loopback ports for servers that cannot choose one themselves."""

import random
import socket
from pathlib import Path

from tests.servers.base import ServerFailed

# Below the range from which Linux gives outgoing connections theirs.
RANGE = range(20_000, 32_000)


def port_of(file: Path) -> int:
    """Return the port noted in a file of the server's home: a free one when it starts first."""
    if not file.exists():
        file.write_text(str(free_port()))
    return int(file.read_text())


def free_port() -> int:
    """Return a loopback port nobody listens on, chosen at random so that two runs seldom agree."""
    for port in random.sample(RANGE, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerFailed(f"no free port among 100 tried in {RANGE.start}-{RANGE.stop}")
