"""The process that keeps one server for a test run: starts it, and stops it when the run ends."""

import signal
import sys
from pathlib import Path

from tests.servers.base import Server
from tests.servers.mariadb import Mariadb
from tests.servers.postgresql import Postgresql
from tests.servers.rabbitmq import Rabbitmq
from tests.servers.redis import Redis
from tests.servers.run_directory import leave, wait_for_the_owner_to_end

SERVERS: dict[str, type[Server]] = {
    server.name: server for server in (Redis, Postgresql, Mariadb, Rabbitmq)
}


def keep(server: Server, directory: Path) -> None:
    """Run the server until the process that owns the directory ends, however it ends."""
    home = directory / server.name
    try:
        url = server.start(home)
        _publish(url, home / "url")
        wait_for_the_owner_to_end(directory)
    finally:
        server.stop()
        leave(directory, home)


def _publish(url: str, path: Path) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(url)
    unfinished.rename(path)


def main() -> None:
    """Keep the server named by the first argument in the run directory named by the second."""
    name, directory = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    keep(SERVERS[name](), Path(directory))


if __name__ == "__main__":
    main()
