"""Wake-up by PostgreSQL's NOTIFY, in the database that the log is in."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from django.db import connections

from motia_django.live import wakers
from motia_django.live.wakers import Listener, Waker

logger = logging.getLogger("motia.streams")

CHANNEL = "motia_streams"
_STAND_BACK = 5.0


class PostgresqlWaker(Waker):
    """Notifies through the connection that has just committed."""

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def wake(self, events: Sequence[int]) -> None:
        """Notify; raise what the database raises."""
        with connections[self._alias].cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, wakers.written(events)])

    def listener(self, poll: float) -> Listener:
        """Return a listener with a connection of its own, outside of any pool."""
        return PostgresqlListener(self._alias, poll)


class PostgresqlListener(Listener):
    """Listens as long as the database is there; as long as it is not, in time with polling."""

    def __init__(self, alias: str, poll: float) -> None:
        self._alias = alias
        self._poll = poll
        self._connection: Any = None
        self._rested = 0.0

    def wait(self, seconds: float) -> set[int]:
        """Wait for a notification, and take those that have come with it."""
        try:
            if self._connection is not None:
                heard = self._connection.notifies(timeout=seconds, stop_after=1)
                return set().union(*(wakers.read(each.payload) for each in heard))
            if not self._listens():
                time.sleep(min(seconds, self._poll))
            return set()
        except Exception as error:
            logger.warning("Streams poll, since NOTIFY cannot be heard: %s", error)
            self.close()
            self._rested = time.monotonic() + _STAND_BACK
            time.sleep(min(seconds, self._poll))
            return set()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _listens(self) -> bool:
        if time.monotonic() < self._rested:
            return False
        wrapper: Any = connections.create_connection(self._alias)
        parameters = {**wrapper.get_connection_params(), "autocommit": True}
        connection = wrapper.Database.connect(**parameters)
        connection.execute(f"LISTEN {CHANNEL}")
        self._connection = connection
        return True


def can_listen() -> bool:
    """Return whether the driver can wait for notifications with a time limit: psycopg 3.2 can."""
    try:
        import psycopg
    except ImportError:
        return False
    return tuple(map(int, psycopg.__version__.split(".")[:2])) >= (3, 2)
