"""RabbitMQ: what was published durably is still there after a restart, what is purged is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import amqp

from benchmarks.chaos.servers.base import Broker
from tests.servers import rabbitmq
from tests.servers.ports import free_port

QUEUE = "celery"


class RabbitMQ(Broker):
    """The distribution's RabbitMQ, with an Erlang port mapper and a node of its own."""

    name = "rabbitmq"

    def __init__(self, home: Path, log: Path) -> None:
        super().__init__(home, log)
        self._mapper, self._port, self._distribution = (free_port() for _ in range(3))
        self._environment: Mapping[str, str] = {}

    @staticmethod
    def missing() -> str | None:
        return rabbitmq.Rabbitmq.missing()

    def prepare(self) -> None:
        self._environment = rabbitmq._prepare(
            self.home, self._mapper, self._port, self._distribution
        )
        self._port_mapper = self._spawn(
            ["epmd", "-port", str(self._mapper), "-address", "127.0.0.1"]
        )

    def environment(self) -> Mapping[str, str]:
        return self._environment

    def command(self) -> Sequence[str]:
        return [rabbitmq._script() or "rabbitmq-server"]

    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._port}//"

    def answers(self) -> bool:
        return rabbitmq._answers(self._port)

    def wipe(self) -> None:
        with amqp.Connection(f"127.0.0.1:{self._port}", connect_timeout=5) as connection:
            try:
                connection.channel().queue_purge(QUEUE)
            except amqp.NotFound:
                pass  # nobody has published yet

    def close(self) -> None:
        super().close()
        self._port_mapper.kill()
        self._port_mapper.wait()
