"""An older dump is restored under running processes: the log is another, and all hear of that."""

from __future__ import annotations

import asyncio
import logging

import pytest
from django.db import connections

from motia_django import Stream
from motia_django.live import hub as hub_module
from motia_django.live import log
from motia_django.live.following import Following
from motia_django.live.positions import Position
from motia_django.models import StreamEvent
from tests.live.following import GROUP, anybody, away, hear, item, nothing_more, told

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_LINGER", 0.0)
    monkeypatch.setattr(hub_module, "_BENEATH", 0.1)
    monkeypatch.setattr(hub_module, "_LOOK", 0.2)


def put(name: str, n: int) -> None:
    Stream("orders").set("g", name, {"n": n})


def restore(*, next_id: int) -> None:
    """Empty the log, whose next event is to have this id."""
    connection = connections[log.database()]
    table = StreamEvent._meta.db_table
    last = f"UPDATE sqlite_sequence SET seq = {next_id - 1} WHERE name = '{table}'"
    ways = {
        "sqlite": [f"DELETE FROM {table}", last],
        "postgresql": [f"TRUNCATE {table}", f"SELECT setval('{table}_id_seq', {next_id}, false)"],
        "mysql": [f"TRUNCATE {table}", f"ALTER TABLE {table} AUTO_INCREMENT = {next_id}"],
    }
    with connection.cursor() as cursor:
        for statement in ways[connection.vendor]:
            cursor.execute(statement)


async def begun() -> Following:
    """Return somebody who follows, and was told how things are."""
    following = Following(anybody())
    await following.join(GROUP, item("a"))
    assert [told(each)[0] for each in await hear(following, 2)] == ["sync"] * 2
    return following


def test_who_follows_is_told_anew_how_things_are_and_what_is_written_then() -> None:
    async def scenario() -> None:
        await away(put, "a", 1)
        following = await begun()
        end = await away(log.newest)
        await away(lambda: restore(next_id=1))
        await away(put, "a", 2)
        group, one = await hear(following, 2)
        assert told(group) == ("sync", [{"id": "a", "n": 2}])
        assert told(one) == ("sync", {"id": "a", "n": 2})
        assert await away(log.newest) < end
        await away(put, "a", 3)
        [message] = await hear(following)
        assert told(message) == ("update", {"id": "a", "n": 3})
        later = await begun()
        await away(put, "b", 4)
        for each in (following, later):
            assert told((await hear(each))[0]) == ("create", {"id": "b", "n": 4})
            await each.close()
        position = Position.from_token(message.position or "")
        resumed = Following(anybody())
        await resumed.join(GROUP, since=position)
        assert told((await hear(resumed))[0]) == ("create", {"id": "b", "n": 4})
        await resumed.close()

    asyncio.run(scenario())


def test_a_log_that_has_grown_beyond_where_it_was_read_is_another_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "_LOOK", 1.0)

    async def scenario() -> None:
        following = await begun()
        await away(put, "a", 1)
        await hear(following)
        end = await away(log.newest)
        await away(lambda: restore(next_id=end))
        await away(put, "a", 2)
        assert await away(log.newest) == end
        assert [told(each)[0] for each in await hear(following, 2)] == ["sync"] * 2
        await away(put, "a", 3)
        assert told((await hear(following))[0]) == ("update", {"id": "a", "n": 3})
        await following.close()

    asyncio.run(scenario())


def test_of_an_empty_log_they_are_told_once_and_of_pruning_never(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("motia.streams"), "propagate", True)

    async def scenario() -> None:
        await away(put, "a", 1)
        following = await begun()
        await away(put, "a", 2)
        await hear(following)
        assert await away(lambda: log.prune(0.0, limit=100)) > 0
        await nothing_more(following, 1.0)
        assert "an older dump" not in caplog.text
        await away(lambda: StreamEvent.objects.all().delete())
        assert [told(each)[0] for each in await hear(following, 2)] == ["sync"] * 2
        await nothing_more(following, 1.0)
        await away(put, "a", 3)
        assert told((await hear(following))[0]) == ("update", {"id": "a", "n": 3})
        await nothing_more(following, 1.0)
        assert caplog.text.count("an older dump") == 1
        await following.close()

    asyncio.run(scenario())
