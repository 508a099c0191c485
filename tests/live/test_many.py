"""Several items of a stream written at once: as if each were written alone, in a few statements."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from motia_django import Stream, models, runner, streams
from motia_django.context import AsyncContext, Context
from motia_django.exceptions import InvalidItem, InvalidKey, UnknownStream
from motia_django.live import items, log, wake
from motia_django.timeline import in_words
from tests.factories import installed, make_step, make_stream

SEEN = {"type": "stream", "streamName": "orders"}


@pytest.fixture
def declared(db: None) -> Iterator[None]:
    """Declare a stream that a Step watches."""
    with installed(make_step(print, SEEN), streams=[make_stream("orders")]):
        yield


def events(group: str = "g") -> list[tuple[str | None, str, Any]]:
    found = log.events().filter(group=group).order_by("id")
    return [(each.item, each.kind, each.data) for each in found]


def last_events(group: str) -> list[int]:
    rows = models.StreamItem.objects.filter(group=group).order_by("item")
    return list(rows.values_list("event", flat=True))


def heard(group: str = "g") -> list[Any]:
    """Return what the Step was told of a group, in the order of its runs."""
    runs = models.Run.objects.order_by("id")
    inputs = [run.input for run in runs if run.input["groupId"] == group]
    return [(each["id"], each["event"]["type"], each["event"]["data"]) for each in inputs]


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize("at_once", [1000, 2])
def test_many_are_as_if_each_were_written_alone(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, "_AT_ONCE", at_once)
    orders = Stream("orders")
    values = {"3": {"n": 3}, "1": {"n": 1}, "größe 🚲/": {"n": 4}, "2": {"n": 2}}
    for group in ("g", "alone"):
        orders.set(group, "2", {"n": 0})
        orders.set(group, "0", {"n": 0})
    alone = {item: orders.set("alone", item, values[item]) for item in sorted(values)}
    many = orders.set_many("g", values)
    assert many == alone
    assert list(many) == list(values)
    gone = orders.delete_many("g", ["2", "nowhere", "1", "2"])
    assert gone == {item: orders.delete("alone", item) for item in ("2", "nowhere", "1")}
    for item in ("1", "2"):
        orders.set(item, item, {})  # of other groups nothing is touched
    assert orders.list("g") == orders.list("alone")
    assert sorted(map(str, events())) == sorted(map(str, events("alone")))
    assert heard() == events()
    newest = {each.item: each.pk for each in log.events().filter(group="g").order_by("id")}
    assert last_events("g") == [newest[item] for item in sorted({"0", "3", "größe 🚲/"})]


@pytest.mark.usefixtures("declared")
def test_the_events_are_in_the_order_of_the_ids() -> None:
    Stream("orders").set_many("g", {"b": {}, "a": {}, "c": {}})
    Stream("orders").delete_many("g", ["c", "b"])
    assert [event[:2] for event in events()] == [
        ("a", "create"),
        ("b", "create"),
        ("c", "create"),
        ("b", "delete"),
        ("c", "delete"),
    ]


@pytest.mark.usefixtures("declared")
def test_the_statements_do_not_grow_with_the_items() -> None:
    def taken(count: int, group: str) -> int:
        names = [str(number) for number in range(count)]
        with CaptureQueriesContext(connection) as queries:
            Stream("orders").set_many(group, {name: {} for name in names})
            Stream("orders").delete_many(group, names)
        return len(queries)

    assert taken(20, "g") == taken(2, "h")
    assert len(heard()) == 40


@pytest.mark.usefixtures("declared")
def test_followers_are_woken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction.atomic():
        Stream("orders").set_many("g", {"1": {}, "2": {}})
        Stream("orders").delete_many("g", ["1"])
        woken = [each[1] for each in connection.run_on_commit if isinstance(each[1], wake._WakeUp)]
    [one] = woken
    assert one.events == list(log.events().filter(group="g").values_list("id", flat=True))


@pytest.mark.usefixtures("declared")
def test_nothing_is_written_if_anything_is_wrong_or_undone() -> None:
    orders = Stream("orders")
    wrong: list[tuple[type[Exception], Any]] = [
        (InvalidItem, {"1": {}, "2": 5}),
        (InvalidItem, {"1": {}, "2": {"id": "3"}}),
        (InvalidKey, {"1": {}, "": {}}),
        (InvalidKey, {"1": {}, 2: {}}),
        (InvalidKey, [{"id": "1"}]),
        (InvalidKey, "12"),
    ]
    for error, values in wrong:
        with pytest.raises(error, match="orders"):
            orders.set_many("g", values)
    for ids in ("12", 5, ["1", ""]):
        with pytest.raises(InvalidKey, match="stream 'orders': delete_many"):
            orders.delete_many("g", ids)
    with pytest.raises(UnknownStream):
        Stream("order").set_many("g", {})
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        orders.set_many("g", {"1": {}, "2": {}})
        1 / 0  # noqa: B018
    assert (orders.set_many("g", {}), orders.delete_many("g", [])) == ({}, {})
    assert (events(), heard(), orders.list("g")) == ([], [], [])


@pytest.mark.usefixtures("declared")
def test_they_have_awaited_twins_and_their_place_in_contexts_and_timelines() -> None:
    async def use() -> Any:
        await Stream("orders").aset_many("g", {"1": {}})
        await Stream("orders").set_many("g", {"2": {}})
        await streams.orders.aset_many("g", {"3": {}})
        await Stream("orders").delete_many("g", ["2"])
        return await Stream("orders").adelete_many("g", ["3"])

    assert async_to_sync(use)() == {"3": {"id": "3"}}
    assert Stream("orders").list("g") == [{"id": "1"}]

    def plain(input: Any, ctx: Context) -> Any:
        ctx.streams.orders.set_many("g", {"a": {}, "b": {}})
        ctx.streams.orders.delete_many("g", ["a"])

    async def awaited(input: Any, ctx: AsyncContext) -> Any:
        await ctx.streams.orders.set_many("h", {"a": {}, "b": {}})
        await ctx.streams.orders.delete_many("h", ["a"])

    for handler, group in ((plain, "g"), (awaited, "h")):
        with installed(make_step(handler), streams=[make_stream("orders")]):
            runner.invoke("Work")
        timeline = models.Run.objects.order_by("id").last().timeline  # type: ignore[union-attr]
        told = [in_words({**entry, "at": None}) for entry in timeline]
        assert told == [
            f"stream orders: set_many {group}: 2 items",
            f"stream orders: delete_many {group}: 1 item",
        ]


def test_two_who_write_the_same_items_at_once_both_do(database: str) -> None:
    begin = threading.Barrier(2, timeout=30)
    done: list[dict[str, Any]] = []

    def write(names: list[str]) -> None:
        try:
            begin.wait()
            for number in range(3):
                done.append(Stream("orders").set_many("g", {each: {"n": number} for each in names}))
                done.append(Stream("orders").delete_many("g", names[::2]))
        finally:
            connections.close_all()

    names = [f"{number:02}" for number in range(10)]
    threads = [threading.Thread(target=write, args=[each]) for each in (names, names[::-1])]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(done) == 12
    there: dict[str | None, Any] = {}
    for item, kind, data in events():
        assert (kind == "create") == (item not in there)
        there[item] = data
        if kind == "delete":
            del there[item]
    assert Stream("orders").list("g") == [there[item] for item in sorted(map(str, there))]
