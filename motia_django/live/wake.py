"""Waking those who follow, in every process, once a transaction has committed."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.core.cache import InvalidCacheBackendError, caches
from django.db import connections, transaction

from motia_django.conf import settings
from motia_django.exceptions import SettingsError
from motia_django.live import log, postgresql_waker
from motia_django.live.postgresql_waker import PostgresqlWaker
from motia_django.live.wakers import PollingWaker, Waker

logger = logging.getLogger("motia.streams")


def after_commit(events: Sequence[int]) -> None:
    """Wake up followers when the transaction that logs these events commits.

    One wake-up tells of a whole transaction. It takes little time and raises nothing: followers
    that it does not reach look for themselves, a little later.
    """
    connection = connections[log.database()]
    for _, function, *_ in connection.run_on_commit:
        if isinstance(function, _WakeUp):
            # It may be of a savepoint that is over by now; one that was rolled back took it along.
            function.events += events
            return
    transaction.on_commit(_WakeUp(events), using=log.database(), robust=True)


def waker() -> Waker:
    """Return what wakes up in this project; raise `SettingsError` if that cannot be."""
    wanted, alias, database = (
        settings().streams["WAKE"],
        settings().streams["CACHE"],
        log.database(),
    )
    return _waker(os.getpid(), wanted, alias, database)


class _WakeUp:
    """What is called after the commit."""

    def __init__(self, events: Sequence[int]) -> None:
        self.events = list(events)

    def __call__(self) -> None:
        try:
            waker().wake(self.events)
        except Exception as error:
            logger.warning("Followers of streams were not woken up, so they poll: %s", error)


@lru_cache(maxsize=8)
def _waker(process: int, wanted: str, alias: str, database: str) -> Waker:
    if wanted == "redis" or (wanted == "auto" and _is_redis(alias)):
        if not _is_redis(alias):
            raise SettingsError(_no_redis(alias))
        from motia_django.live.redis_waker import RedisWaker

        return RedisWaker(alias)
    notifies = connections[database].vendor == "postgresql" and postgresql_waker.can_listen()
    if wanted == "postgresql" and not notifies:
        raise SettingsError(
            f"MOTIA['STREAMS']['WAKE']: 'postgresql' needs the streams' database {database!r} to be"
            f" PostgreSQL, with psycopg 3.2 or newer. Write 'auto'."
        )
    return PostgresqlWaker(database) if notifies and wanted != "poll" else PollingWaker()


def _is_redis(alias: str) -> bool:
    """Return whether it is a django-redis cache; if so redis-py, which takes 8 MB, is there."""
    from django_redis.cache import RedisCache

    try:
        cache: Any = caches[alias]
    except InvalidCacheBackendError:
        return False
    return isinstance(cache, RedisCache)


def _no_redis(alias: str) -> str:
    return (
        f"MOTIA['STREAMS']: 'WAKE' is 'redis', and the cache {alias!r} is none of django-redis."
        " Name one that is as 'CACHE', or write 'auto'."
    )
