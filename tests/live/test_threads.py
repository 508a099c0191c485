"""The threads that followers call in: what they keep of a database, and for how long."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import pytest
from django.db import DatabaseError, connections

from motia_django.live import log, threads
from motia_django.live.threads import Threads, in_thread
from tests.live.following import away

pytestmark = pytest.mark.usefixtures("database")
SERVERS = pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
SESSION = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT connection_id()"}
END = {"postgresql": "SELECT pg_terminate_backend(%s)", "mysql": "KILL %s"}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_MOST", 1)
    monkeypatch.setattr(threads, "_threads", Threads())


def asked(statements: dict[str, str], *parameters: Any) -> Any:
    connection = connections[log.database()]
    with connection.cursor() as cursor:
        cursor.execute(statements[connection.vendor], parameters)
        return cursor.fetchone()[0] if cursor.description else None


def held() -> Any:
    """Return the driver's connection, if this thread has one."""
    log.newest()
    return connections[log.database()].connection


async def is_open(connection: Any) -> bool:
    """Return whether this is what the thread still has."""
    return await in_thread(lambda: connections[log.database()].connection is connection)


def test_the_next_call_finds_the_connection_of_the_one_before_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "_KEPT", 0.5)

    async def scenario() -> None:
        first = await in_thread(held)
        assert await in_thread(held) is first
        end = time.monotonic() + 60
        while (second := await in_thread(held)) is first:  # however busy it is
            assert time.monotonic() < end
        await asyncio.sleep(0.8)
        assert not await is_open(second)

    asyncio.run(scenario())


@SERVERS
def test_a_connection_that_was_lost_meanwhile_fails_nobody() -> None:
    async def scenario() -> None:
        session = await in_thread(asked, SESSION)
        assert await in_thread(asked, SESSION) == session
        await away(asked, END, session)
        assert await in_thread(asked, SESSION) != session

    asyncio.run(scenario())


def test_after_an_error_the_connection_is_not_kept() -> None:
    def fails() -> None:
        asked({"sqlite": "no SQL", "postgresql": "no SQL", "mysql": "no SQL"})

    async def scenario() -> None:
        first = await in_thread(held)
        with pytest.raises(DatabaseError):
            await in_thread(fails)
        assert not await is_open(first)

    asyncio.run(scenario())


def test_a_connection_that_was_left_in_a_transaction_is_not_kept() -> None:
    async def scenario() -> None:
        first = await in_thread(held)
        await in_thread(lambda: connections[log.database()].set_autocommit(False))
        assert not await is_open(first)

    asyncio.run(scenario())


@pytest.mark.parametrize("reason", ["is_pooled", "_is_testing"])
def test_a_connection_of_a_pool_and_one_of_a_test_run_is_given_back_at_once(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, reason, lambda *connection: True)

    async def scenario() -> None:
        assert not await is_open(await in_thread(held))

    asyncio.run(scenario())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    asyncio.run(in_thread(held))
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(asyncio.wait_for(in_thread(held), 10))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert asyncio.run(in_thread(held))
