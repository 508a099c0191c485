"""Waking other processes: by Redis, by NOTIFY, by looking; and what happens when that fails."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.cache import caches
from django.db import OperationalError, connections, transaction
from django.test import override_settings

from motia_django import Stream
from motia_django.checks.project import project_settings
from motia_django.exceptions import SettingsError
from motia_django.live import hub as hub_module
from motia_django.live import log, redis_waker, wake
from motia_django.live.following import Following
from motia_django.live.hub import hub
from motia_django.live.postgresql_waker import PostgresqlWaker
from motia_django.live.redis_waker import RedisWaker
from motia_django.live.wake import waker
from motia_django.live.wakers import Listener, PollingWaker
from tests.live.following import GROUP, anybody, away, hear, told
from tests.servers import fresh_redis

pytestmark = pytest.mark.usefixtures("database")
SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def quickly_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_LINGER", 0.0)


@contextmanager
def cached(url: str, **streams: Any) -> Iterator[None]:
    """Put the cache on this Redis for the block."""
    cache = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url}}
    with override_settings(CACHES=cache, MOTIA={"STREAMS": streams}):
        wake._waker.cache_clear()
        yield
    wake._waker.cache_clear()


def put(name: str, **values: Any) -> None:
    Stream("orders").set("g", name, values)


def heard_by(listener: Listener, act: Callable[[], object]) -> set[int]:
    """Return what a listener that is listening hears when something is done elsewhere."""
    for _ in range(3):
        listener.wait(0.2)

    def elsewhere() -> None:
        act()
        connections.close_all()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    try:
        return listener.wait(5)
    finally:
        thread.join()
        listener.close()


def ids() -> set[int]:
    """Return the ids of the log's events of the stream."""
    return set(log.events().filter(stream="orders").values_list("id", flat=True))


def write_three() -> None:
    """Write three items in one transaction, each in a savepoint."""
    with transaction.atomic(using=log.database()):
        for name in "abc":
            put(name)


@SQLITE
def test_redis_tells_of_a_whole_transaction_at_once(redis_server: str) -> None:
    with cached(fresh_redis()):
        assert isinstance(waker(), RedisWaker)
        assert heard_by(waker().listener(0.25), write_three) == ids()


@POSTGRESQL
def test_notify_tells_of_a_whole_transaction_at_once() -> None:
    assert isinstance(waker(), PostgresqlWaker)
    assert heard_by(waker().listener(0.25), write_three) == ids()


@SQLITE
def test_who_polls_is_woken_by_his_own_process() -> None:
    assert isinstance(waker(), PollingWaker)
    assert heard_by(waker().listener(4), write_three) == ids()


def test_what_is_chosen_can_be_forced_and_must_be_there(database: str, redis_server: str) -> None:
    with cached(fresh_redis(), WAKE="poll"):
        assert isinstance(waker(), PollingWaker)
    with cached(fresh_redis(), WAKE="redis"):
        assert isinstance(waker(), RedisWaker)
    with override_settings(MOTIA={"STREAMS": {"WAKE": "redis"}}):
        with pytest.raises(SettingsError, match="none of django-redis"):
            waker()
        assert [each.id for each in project_settings(None)] == ["motia.E020"]
    with override_settings(MOTIA={"STREAMS": {"WAKE": "postgresql"}}):
        if database == "postgresql":
            assert isinstance(waker(), PostgresqlWaker)
        else:
            with pytest.raises(SettingsError, match="to be PostgreSQL"):
                waker()


def seconds_for(act: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = time.monotonic()
    act()
    return time.monotonic() - began


@SQLITE
def test_a_redis_that_is_away_costs_a_write_little_and_loses_nothing() -> None:
    async def scenario() -> None:
        following = Following(anybody())
        await following.join(GROUP)
        await hear(following)
        for number in range(3):
            assert await away(lambda n=number: seconds_for(lambda: put("a", n=n))) < 1.5
        assert [told(each)[1]["n"] for each in await hear(following, 3)] == [0, 1, 2]
        await following.close()

    with cached("redis://127.0.0.1:1/0"):
        asyncio.run(scenario())


@SQLITE
def test_a_redis_that_hangs_costs_one_write_half_a_second() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        with cached(f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"):
            assert seconds_for(lambda: put("a")) < 10
            deaf.accept()[0].close()
            write_three()
            deaf.setblocking(False)
            with pytest.raises(BlockingIOError):
                deaf.accept()  # it was not asked again


@SQLITE
def test_the_cache_s_own_options_reach_its_server(redis_server: str) -> None:
    with cached(fresh_redis()):
        client = redis_waker.impatient_client("default")
        assert client.ping()
        own = client.connection_pool.connection_kwargs
        cache: Any = caches["default"]
        theirs = cache.client.get_client().connection_pool.connection_kwargs
        assert own["db"] == theirs["db"]
        assert own["socket_timeout"] < 1


def test_a_lost_wake_up_only_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake._WakeUp, "__call__", lambda self: None)
    monkeypatch.setattr(hub_module, "_BENEATH", 0.5)

    async def scenario() -> None:
        following = Following(anybody())
        await following.join(GROUP)
        await hear(following)
        await away(lambda: put("a"))
        await hear(following, patience=3)
        await following.close()

    asyncio.run(scenario())


@POSTGRESQL
def test_a_database_that_drops_all_connections_is_read_on() -> None:
    def drop_all() -> None:
        with connections[log.database()].cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    async def scenario() -> None:
        following = Following(anybody())
        await following.join(GROUP)
        await hear(following)
        await away(drop_all)
        await away(lambda: put("a", n=1))
        await hear(following)
        await away(lambda: put("a", n=2))
        await hear(following)
        await following.close()

    connections[log.database()].close()
    asyncio.run(scenario())


def test_an_outage_is_waited_for_with_followers_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    read = log.after

    def is_away(*args: Any) -> Any:
        raise OperationalError("away")

    async def scenario() -> None:
        following = Following(anybody())
        await following.join(GROUP)
        await hear(following)
        monkeypatch.setattr(log, "after", is_away)
        for number in range(3):
            await away(lambda n=number: put("a", n=n))
        assert await following.messages(1.0) == []
        monkeypatch.setattr(log, "after", read)
        assert [told(each)[1]["n"] for each in await hear(following, 3)] == [0, 1, 2]
        await following.close()

    asyncio.run(scenario())


@SQLITE
def test_a_forked_process_begins_with_a_hub_of_its_own() -> None:
    async def scenario() -> None:
        following = Following(anybody())
        await following.join(GROUP)
        parent = hub()
        child = os.fork()
        if child == 0:
            os._exit(0 if hub() is not parent and hub()._thread is None else 1)
        assert os.waitpid(child, 0)[1] == 0
        await following.close()

    asyncio.run(scenario())


@SQLITE
def test_the_thread_ends_with_the_last_follower_and_begins_with_the_next() -> None:
    async def scenario() -> None:
        for _ in range(3):
            following = Following(anybody())
            await following.join(GROUP)
            thread = hub()._thread
            assert thread is not None and thread.is_alive()
            await following.close()
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive()
            assert hub()._thread is None

    asyncio.run(scenario())


@SQLITE
def test_the_thread_ends_with_the_event_loop_of_who_never_left() -> None:
    async def scenario() -> None:
        await Following(anybody()).join(GROUP)

    asyncio.run(scenario())
    thread = hub()._thread
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()
