"""Wake-up by Redis pub/sub, on the server of a django-redis cache."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from django.core.cache import caches
from django_redis import get_redis_connection
from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.retry import Retry

from motia_django.live import wakers
from motia_django.live.wakers import Listener, Waker

logger = logging.getLogger("motia.streams")

_PATIENCE = 0.3
"""Seconds that a socket may take."""
_STAND_BACK = 5.0
"""Seconds for which a Redis that has failed is left alone."""
_SIGN_OF_LIFE = 15


class RedisWaker(Waker):
    """Publishes on one channel of the server that the cache `alias` is on."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._channel = _channel(alias)
        self._client: Redis | None = None
        self._rested = 0.0

    def wake(self, events: Sequence[int]) -> None:
        """Publish the ids; raise what redis-py raises, and then do nothing for some seconds."""
        if time.monotonic() < self._rested:
            return
        try:
            self._connected().publish(self._channel, wakers.written(events))
        except Exception:
            self._rested = time.monotonic() + _STAND_BACK
            raise

    def listener(self, poll: float) -> Listener:
        """Return a listener with a connection of its own."""
        return RedisListener(self._alias, self._channel, poll)

    def _connected(self) -> Redis:
        if self._client is None:
            self._client = impatient_client(self._alias)
        return self._client


class RedisListener(Listener):
    """Subscribed as long as Redis is there; as long as it is not, in time with polling."""

    def __init__(self, alias: str, channel: str, poll: float) -> None:
        self._alias = alias
        self._channel = channel
        self._poll = poll
        self._subscription: Any = None
        self._rested = 0.0

    def wait(self, seconds: float) -> set[int]:
        """Wait for a message, and take those that have come with it."""
        try:
            if self._subscription is not None:
                return self._heard(seconds)
            if not self._subscribes():
                time.sleep(min(seconds, self._poll))
            return set()
        except Exception as error:
            logger.warning("Streams poll, since Redis cannot be heard: %s", error)
            self.close()
            self._rested = time.monotonic() + _STAND_BACK
            time.sleep(min(seconds, self._poll))
            return set()

    def close(self) -> None:
        """End the subscription."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()

    def _subscribes(self) -> bool:
        if time.monotonic() < self._rested:
            return False
        client = impatient_client(self._alias, health_check_interval=_SIGN_OF_LIFE)
        subscription = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        subscription.subscribe(self._channel)
        self._subscription = subscription
        return True

    def _heard(self, seconds: float) -> set[int]:
        ids: set[int] = set()
        message = self._subscription.get_message(timeout=seconds)
        while message is not None:
            ids |= wakers.read(message["data"])
            message = self._subscription.get_message(timeout=0)
        return ids


def impatient_client(alias: str, **options: Any) -> Redis:
    """Return a client of the cache's server that gives up soon, and does not try again.

    Behind Sentinel or a cluster it is the cache's own client, with the cache's own timeouts.
    """
    shared: Any = get_redis_connection(alias)
    pool = shared.connection_pool
    if type(pool) is not ConnectionPool:
        return shared  # type: ignore[no-any-return]
    settings = {
        **pool.connection_kwargs,
        "socket_timeout": _PATIENCE,
        "socket_connect_timeout": _PATIENCE,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        **options,
    }
    return Redis(connection_pool=ConnectionPool(pool.connection_class, **settings))


def _channel(alias: str) -> str:
    """Return the channel for a cache: one for each database and key prefix, as with its keys."""
    pool = get_redis_connection(alias).connection_pool
    number = getattr(pool, "connection_kwargs", {}).get("db") or 0
    return f"motia:streams:{number}:{caches[alias].key_prefix}"
