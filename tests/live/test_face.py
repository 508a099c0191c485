"""Streams as handlers and the rest of a project use them."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction
from pydantic import BaseModel

from motia_django import Stream, StreamChange, models, runner, streams
from motia_django.context import AsyncContext, Context
from motia_django.exceptions import (
    InvalidInput,
    InvalidItem,
    InvalidKey,
    InvalidUpdate,
    PayloadError,
    UnknownStream,
)
from tests.factories import installed, make_step, make_stream

pytestmark = pytest.mark.django_db


class Order(BaseModel):
    """The items of the stream `strict`."""

    id: str
    status: str
    paid: bool = False


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    """Declare two streams, one of them with a schema."""
    with installed(streams=[make_stream("orders"), make_stream("strict", schema=Order)]):
        yield


def events() -> list[tuple[str, str, str | None, str, Any]]:
    """Return the log."""
    fields = ("stream", "group", "item", "kind", "data")
    return list(models.StreamEvent.objects.order_by("id").values_list(*fields))


def runs() -> list[models.Run]:
    """Return the runs there are, oldest first."""
    return list(models.Run.objects.order_by("id"))


def test_an_item_is_written_read_listed_and_deleted() -> None:
    orders = Stream("orders")
    assert orders.get("inbox", "17") is None
    made = orders.set("inbox", "17", {"status": "new"})
    assert made == {"old_value": None, "new_value": {"id": "17", "status": "new"}}
    orders.set("inbox", "02", {"id": "02"})
    orders.set("other", "1", {"id": "1"})
    assert orders.get("inbox", "17") == {"id": "17", "status": "new"}
    assert orders.list("inbox") == [{"id": "02"}, {"id": "17", "status": "new"}]
    assert orders.get_group("inbox") == orders.list("inbox")
    assert orders.list_groups() == ["inbox", "other"]
    assert orders.delete("inbox", "17") == {"id": "17", "status": "new"}
    assert orders.delete("inbox", "17") is None
    assert orders.list("inbox") == [{"id": "02"}]


def test_each_write_is_an_event_of_the_log_that_the_item_names_as_its_last() -> None:
    orders = Stream("orders")
    orders.set("g", "1", {"n": 1})
    orders.set("g", "1", {"n": 1})
    assert models.StreamItem.objects.get().event == models.StreamEvent.objects.last().pk  # type: ignore[union-attr]
    orders.delete("g", "1")
    orders.delete("g", "1")
    orders.set("g", "1", {"n": 2})
    first, second = {"id": "1", "n": 1}, {"id": "1", "n": 2}
    assert events() == [
        ("orders", "g", "1", "create", first),
        ("orders", "g", "1", "update", first),
        ("orders", "g", "1", "delete", first),
        ("orders", "g", "1", "create", second),
    ]


def test_update_works_on_a_missing_item_and_on_one_that_is_there() -> None:
    orders = Stream("orders")
    orders.update("g", "1", [{"type": "set", "path": "steps.paid", "value": True}])
    changed = orders.update("g", "1", [{"type": "increment", "path": "n"}])
    assert changed["old_value"] == {"id": "1", "steps": {"paid": True}}
    assert changed["new_value"] == {"id": "1", "steps": {"paid": True}, "n": 1}
    with pytest.raises(InvalidUpdate, match="stream 'orders': update: operation 0"):
        orders.update("g", "1", [{"type": "append", "path": "n", "value": 1}])
    assert [kind for *_, kind, _ in events()] == ["create", "update"]
    orders.update("g", "2", lambda order: {**order, "n": 1})
    assert orders.get("g", "2") == {"id": "2", "n": 1}


def test_the_schema_is_kept_by_set_and_by_update() -> None:
    strict = Stream("strict")
    assert strict.set("g", "1", Order(id="1", status="new"))["new_value"]["status"] == "new"
    assert strict.set("g", "3", {"status": "new"})["new_value"]["id"] == "3"
    with pytest.raises(InvalidInput, match="The item g/2 of stream 'strict' is invalid: status"):
        strict.set("g", "2", {"id": "2"})
    with pytest.raises(InvalidInput, match="paid"):
        strict.update("g", "1", [{"type": "set", "path": "paid", "value": "perhaps"}])
    assert len(events()) == 2
    assert strict.get("g", "2") is None


def test_an_event_is_sent_to_a_group_or_an_item_in_either_way_of_writing() -> None:
    orders = Stream("orders")
    orders.send("g", "typing", {"who": "me"})
    orders.send("g", "paid", item="1")
    orders.send({"groupId": "g"}, {"type": "typing", "data": {"who": "me"}})
    orders.send({"group_id": "g", "id": "1"}, {"type": "paid"})
    typing, paid = {"type": "typing", "data": {"who": "me"}}, {"type": "paid", "data": None}
    ours = [("orders", "g", None, "event", typing), ("orders", "g", "1", "event", paid)]
    assert events() == ours * 2
    assert models.StreamItem.objects.count() == 0


@pytest.mark.parametrize(
    ("arguments", "keys", "error"),
    [
        (("g", ""), {}, InvalidItem),
        (("g", {"type": 5}), {}, InvalidItem),
        (("g", {"typ": "a"}), {}, InvalidItem),
        (("g", "a", {1, object()}), {}, PayloadError),
        (({"group": "g"}, "a"), {}, InvalidItem),
        (({"id": "g"}, "a"), {}, InvalidItem),
        (("", "a"), {}, InvalidKey),
        (("g", "a"), {"item": 5}, InvalidKey),
    ],
)
def test_what_is_no_event_is_refused(
    arguments: tuple[Any, ...], keys: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Stream("orders").send(*arguments, **keys)
    assert events() == []


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (5, InvalidItem),
        ([{}], InvalidItem),
        (None, InvalidItem),
        ({"id": "other"}, InvalidItem),
        ({"id": 0}, InvalidItem),
        ({"id": False}, InvalidItem),
        ({"id": []}, InvalidItem),
        ({"a": object()}, PayloadError),
        ({"a": float("nan")}, PayloadError),
    ],
)
def test_what_is_no_item_is_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="g/1"):
        Stream("orders").set("g", "1", value)
    assert events() == []


@pytest.mark.parametrize("name", ["", "x" * 256, 5, None, "a\x00b", "\ud800"])
def test_bad_names_are_refused(name: Any) -> None:
    with pytest.raises(InvalidKey, match="stream 'orders': "):
        Stream("orders").set("g", name, {})
    with pytest.raises(InvalidKey, match="stream 'orders': group"):
        Stream("orders").list(name)


@pytest.mark.parametrize("name", ["größe 日本 🚲", "a/b", "%_", " a", "🚲" * 255])
def test_names_may_be_any_text(name: str) -> None:
    Stream("orders").set(name, name, {"n": 1})
    assert Stream("orders").get(name, name) == {"id": name, "n": 1}
    assert Stream("orders").list_groups() == [name]


class Named(str, enum.Enum):  # noqa: UP042
    """Names as many projects declare them; `str()` of one is "Named.GROUP"."""

    GROUP = "a group"
    ITEM = "17"


def test_members_of_an_enum_name_what_their_values_name() -> None:
    orders, group, item = Stream("orders"), Named.GROUP, Named.ITEM
    assert orders.set(group, item, {})["new_value"] == {"id": "17"}
    assert orders.update(group, item, [])["new_value"] == {"id": "17"}
    orders.send(group, "seen", item=item)
    assert [event[1:3] for event in events()] == [("a group", "17")] * 3
    assert orders.get(group, item) == orders.get("a group", "17") == {"id": "17"}


def test_an_id_that_is_a_number_may_stay_one() -> None:
    for number in (17, 0):
        assert Stream("orders").set("g", str(number), {"id": number})["new_value"] == {"id": number}


def test_streams_are_found_by_name_and_unknown_ones_are_errors() -> None:
    assert streams.orders.name == streams["orders"].name == "orders"
    assert list(streams) == ["orders", "strict"]
    assert "orders" in streams
    assert "order" not in streams
    for ask in (
        lambda: streams.order,
        lambda: streams["order"],
        lambda: Stream("order").get("g", "1"),
        lambda: Stream("order").set("g", "1", {}),
        lambda: Stream("order").send("g", "a"),
        lambda: Stream("order").list_groups(),
    ):
        with pytest.raises(UnknownStream, match="Did you mean 'orders'"):
            ask()
    assert not hasattr(streams, "__wrapped__")
    assert not hasattr(streams, "order")


def test_everything_has_an_awaited_twin() -> None:
    async def use() -> Any:
        orders = Stream("orders")
        await orders.aset("g", "1", {"n": 1})
        await orders.aupdate("g", "1", [{"type": "increment", "path": "n"}])
        await orders.asend("g", "paid", item="1")
        found = await orders.aget("g", "1"), await orders.alist("g"), await orders.aget_group("g")
        return *found, await orders.alist_groups(), await orders.adelete("g", "1")

    item = {"id": "1", "n": 2}
    assert async_to_sync(use)() == (item, [item], [item], ["g"], item)


def test_a_rolled_back_transaction_writes_no_item_no_event_and_starts_no_step() -> None:
    trigger = {"type": "stream", "streamName": "orders"}
    with installed(make_step(print, trigger), streams=[make_stream("orders")]):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Stream("orders").set("g", "1", {})
            Stream("orders").send("g", "paid")
            1 / 0  # noqa: B018
        assert (events(), runs(), Stream("orders").list("g")) == ([], [], [])


@pytest.mark.parametrize(
    ("filters", "heard"),
    [
        ({}, ["create", "event", "update", "event", "delete"]),
        ({"groupId": "g"}, ["create", "event", "update", "event", "delete"]),
        ({"groupId": "other"}, []),
        ({"itemId": "1"}, ["create", "event", "update", "delete"]),
        ({"itemId": "2"}, []),
        ({"events": ["create", "delete"]}, ["create", "delete"]),
        ({"condition": lambda change: change.event.type == "update"}, ["update"]),
    ],
)
def test_a_step_hears_what_its_filters_let_through(filters: Any, heard: list[str]) -> None:
    def handler(change: StreamChange, ctx: Context) -> None: ...

    step = make_step(handler, {"type": "stream", "streamName": "orders", **filters})
    with installed(step, streams=[make_stream("orders"), make_stream("strict")]):
        orders = Stream("orders")
        orders.set("g", "1", {"n": 1})
        orders.send("g", "paid", item="1")
        orders.set("g", "1", {"n": 2})
        orders.send("g", "typing")
        orders.delete("g", "1")
        Stream("strict").set("g", "1", {"status": "new"})
        assert [run.input["event"]["type"] for run in runs()] == heard


def test_a_step_is_given_the_event_in_every_spelling() -> None:
    given: list[StreamChange] = []

    def handler(change: StreamChange, ctx: Context) -> None:
        given.append(change)
        assert ctx.is_stream()

    step = make_step(handler, {"type": "stream", "streamName": "orders"})
    with installed(step, streams=[make_stream("orders")]):
        Stream("orders").set("g", "1", {"n": 1})
        (run,) = runs()
        assert run.source == "orders/g/1"
        from motia_django.ledger.rows import run_of

        outcome = runner.perform(run_of(run))
    assert outcome.error is None
    (change,) = given
    assert change.stream_name == change.streamName == change["streamName"] == "orders"
    assert change.group_id == change.groupId == "g"
    assert change.id == change.item_id == change["itemId"] == "1"
    assert (change.event.type, change.event["data"]) == ("create", {"id": "1", "n": 1})
    assert change.timestamp > 1_700_000_000_000


@pytest.mark.parametrize("is_async", [False, True])
def test_a_handler_reaches_streams_through_its_context_and_its_timeline_tells(
    is_async: bool,
) -> None:
    def plain(input: Any, ctx: Context) -> Any:
        ctx.streams.orders.set("g", "1", {"n": 1})
        return ctx.streams["orders"].get("g", "1")

    async def awaited(input: Any, ctx: AsyncContext) -> Any:
        await ctx.streams.orders.set("g", "1", {"n": 1})
        return await ctx.streams["orders"].get("g", "1")

    with installed(make_step(awaited if is_async else plain), streams=[make_stream("orders")]):
        assert runner.invoke("Work") == {"id": "1", "n": 1}
    (run,) = runs()
    told = [entry for entry in run.timeline if entry["kind"] == "stream"]
    assert [entry["operation"] for entry in told] == ["set", "get"]
    assert told[0]["new"] == {"id": "1", "n": 1}
