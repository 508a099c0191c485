"""Items that are there for some time only: missing at once, and told of once, whoever ends them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from motia_django import Stream, upkeep
from motia_django.exceptions import InvalidOption
from motia_django.live import hub as hub_module
from motia_django.live import log
from motia_django.live.following import Following
from motia_django.models import StreamEvent, StreamItem
from motia_django.upkeep import keep_streams
from tests.factories import installed
from tests.live.following import GROUP, anybody, away, hear, item, told

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def quickly_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_LINGER", 0.0)
    monkeypatch.setattr(hub_module, "_BENEATH", 0.1)


def expire(*names: str) -> None:
    """Let the time of these items be over."""
    rows = StreamItem.objects.filter(item__in=names, expires_at__isnull=False)
    assert rows.update(expires_at=timezone.now()) == len(names)


def events() -> list[tuple[str | None, str, Any]]:
    """Return what the log tells of the group."""
    rows = StreamEvent.objects.filter(stream="orders", group="g").order_by("id")
    return list(rows.values_list("item", "kind", "data"))


def kept() -> Mapping[str, Any]:
    """Return by id until when the items stay."""
    return dict(StreamItem.objects.values_list("item", "expires_at"))


def test_an_item_stays_for_its_time_and_a_write_says_for_which() -> None:
    orders, soon = Stream("orders"), timezone.now() + timedelta(seconds=50)
    orders.set("g", "a", {}, ttl=60)
    orders.set_many("g", {"b": {}, "c": {}}, ttl=60)
    orders.update("g", "d", [], ttl=60)
    orders.set("g", "e", {})
    orders.update("g", "a", lambda old: {**old, "n": 1})
    assert all(until > soon for name, until in kept().items() if name != "e")
    assert kept()["e"] is None
    orders.update("g", "e", [], ttl=60)
    assert kept()["e"] > soon
    orders.set("g", "a", {})
    orders.set_many("g", {"b": {}})
    assert [name for name, until in kept().items() if until is None] == ["a", "b"]
    assert keep_streams() == 0


def test_what_has_expired_is_missing_at_once_and_its_end_is_told_once_by_upkeep() -> None:
    orders = Stream("orders")
    orders.set_many("g", {"a": {"n": 1}, "b": {}}, ttl=60)
    orders.set("short", "a", {}, ttl=60)
    StreamItem.objects.filter(item="a").update(expires_at=timezone.now())
    assert orders.get("g", "a") is None
    assert orders.list("g") == [{"id": "b"}]
    assert orders.list_groups() == ["g"]
    assert keep_streams() == 2
    assert keep_streams() == 0
    assert events()[2:] == [("a", "delete", {"id": "a", "n": 1})]
    assert orders.delete("g", "a") is None
    assert list(kept()) == ["b"]
    assert len(events()) == 3


def test_whoever_writes_before_upkeep_tells_of_the_end_first() -> None:
    orders = Stream("orders")
    orders.set_many("g", {name: {"n": 1} for name in "abcd"}, ttl=60)
    before = len(events())
    expire(*"abcd")
    assert orders.set("g", "a", {"n": 2})["old_value"] is None
    assert orders.delete("g", "b") is None
    assert orders.set_many("g", {"c": {"n": 2}})["c"]["old_value"] is None
    assert orders.delete_many("g", ["d"]) == {"d": None}
    ends = {name: (name, "delete", {"id": name, "n": 1}) for name in "abcd"}
    news = {name: (name, "create", {"id": name, "n": 2}) for name in "ac"}
    assert events()[before:] == [
        ends["a"], news["a"], ends["b"], ends["c"], news["c"], ends["d"]
    ]  # fmt: skip
    assert kept() == {"a": None, "c": None}
    expected = {row.item: row.event for row in StreamItem.objects.all()}
    for name, event in expected.items():
        assert StreamEvent.objects.filter(item=name).latest("id").pk == event
    assert keep_streams() == 0


def test_an_update_of_what_has_expired_begins_anew_and_stays() -> None:
    Stream("orders").set("g", "a", {"n": 1}, ttl=60)
    expire("a")
    changed = Stream("orders").update("g", "a", [{"type": "increment", "path": "n"}])
    assert changed == {"old_value": None, "new_value": {"id": "a", "n": 1}}
    assert kept() == {"a": None}


def test_followers_are_told_and_no_sync_has_what_has_expired() -> None:
    async def scenario() -> None:
        await away(lambda: Stream("orders").set_many("g", {"a": {}, "b": {}}, ttl=60))
        before, after = Following(anybody()), Following(anybody())
        await before.join(GROUP)
        assert told((await hear(before))[0]) == ("sync", [{"id": "a"}, {"id": "b"}])
        await away(expire, "a")
        await after.join(GROUP, item("a"))
        assert [told(each)[1] for each in await hear(after, 2)] == [[{"id": "b"}], None]
        assert await away(keep_streams) == 1
        for each in (before, after):
            assert told((await hear(each))[0]) == ("delete", {"id": "a"})
            await each.close()

    asyncio.run(scenario())


def test_what_has_expired_is_ended_in_batches_for_any_stream_and_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upkeep, "BATCH", 3)
    for stream in ("orders", "others"):
        for group in ("g", "h"):
            Stream(stream).set_many(group, {"1": {}, "2": {}}, ttl=60)
    StreamItem.objects.update(expires_at=timezone.now())
    with installed():  # a stream whose file is gone, too
        assert [keep_streams() for _ in range(4)] == [3, 3, 2, 0]
    ends = StreamEvent.objects.filter(kind="delete").values_list("stream", "group", "item")
    assert len(set(ends)) == len(ends) == 8


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_what_somebody_is_writing_is_left_to_him() -> None:
    Stream("orders").set_many("g", {"a": {"n": 1}, "b": {}}, ttl=60)
    expire("a", "b")
    written, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with transaction.atomic(using=log.database()):
            Stream("orders").set("g", "a", {"n": 2})
            written.set()
            assert go_on.wait(30)
        connections.close_all()

    thread = threading.Thread(target=write)
    thread.start()
    assert written.wait(30)
    assert keep_streams() == 1
    go_on.set()
    thread.join(30)
    assert Stream("orders").list("g") == [{"id": "a", "n": 2}]
    assert [kind for name, kind, _ in events() if name == "a"] == ["create", "delete", "create"]


@pytest.mark.parametrize("ttl", [0, -1, True, "60", float("nan"), 1e10])
def test_a_time_that_is_none_is_refused(ttl: Any) -> None:
    orders = Stream("orders")
    writes: list[Callable[[], Any]] = [
        lambda: orders.set("g", "a", {}, ttl=ttl),
        lambda: orders.set_many("g", {"a": {}}, ttl=ttl),
        lambda: orders.update("g", "a", [], ttl=ttl),
    ]
    for write in writes:
        with pytest.raises(InvalidOption, match="stream 'orders': ttl: expected a number of sec"):
            write()
    assert not kept()
