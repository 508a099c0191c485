"""The state trigger: which changes it hears, and what it tells of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motia_django import payloads, state, state_changed
from motia_django.exceptions import InvalidInput
from motia_django.stores.base import MISSING, Change
from motia_django.triggers.state import EVENTS, StateChange
from tests.declared import good, wrong

VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())


def change(old: Any = MISSING, new: Any = MISSING, group: str = "orders", key: str = "17") -> Any:
    """Return what Steps are told of a write."""
    return Change(group=group, key=key, old=old, new=new).event()


def hears(event: StateChange, **keys: Any) -> bool:
    """Return whether a trigger with these keys hears an event."""
    heard: bool = good({"type": "state", **keys}).hears(event)
    return heard


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (change(new=1), "created"),
        (change(new=None), "created"),
        (change(old=1, new=2), "updated"),
        (change(old=None, new=1), "updated"),
        (change(old=1, new=None), "updated"),
        (change(old=1), "deleted"),
        (change(old=None), "deleted"),
    ],
)
def test_a_change_is_a_creation_an_update_or_a_deletion_and_heard_as_such(
    event: StateChange, kind: str
) -> None:
    assert event.event_type == f"state:{kind}"
    for each in EVENTS:
        assert hears(event, events=[each]) is (each == kind)
    assert hears(event)


@given(VALUES)
def test_a_write_that_changes_nothing_is_heard_only_if_asked_for(value: Any) -> None:
    assert not hears(change(old=value, new=value))
    assert hears(change(old=value, new=value), onNoop=True)
    assert hears(change(old=value, new=value), on_noop=True)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (1, 1.0, True),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}, True),
        (1, True, False),
        (0, False, False),
        ([1], [True], False),
        ({"a": {"b": 0}}, {"a": {"b": False}}, False),
        (None, False, False),
        ("1", 1, False),
        ([], {}, False),
        ([1, 2], [1], False),
        ({"a": None}, {}, False),
        (2**53, float(2**53), True),
        (2**53 + 1, float(2**53), False),
    ],
)
def test_values_are_the_same_if_their_json_is(old: Any, new: Any, same: bool) -> None:
    assert change(old=old, new=new).is_noop is same
    assert change(old=new, new=old).is_noop is same
    assert hears(change(old=old, new=new)) is not same


def test_values_are_compared_however_deep_they_are() -> None:
    def deep(inner: Any) -> Any:
        for _ in range(900):
            inner = [{"a": inner}]
        return inner

    assert change(old=deep(1), new=deep(1.0)).is_noop
    assert not change(old=deep(1), new=deep(True)).is_noop


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, True),
        ({"groupId": "orders"}, True),
        ({"group_id": "orders"}, True),
        ({"scope": "orders"}, True),
        ({"groupId": "users"}, False),
        ({"groupId": "order"}, False),
        ({"key": "17"}, True),
        ({"itemId": "17"}, True),
        ({"item_id": "18"}, False),
        ({"groupId": "orders", "key": "17"}, True),
        ({"groupId": "orders", "key": "1"}, False),
        ({"groupId": None, "key": None}, True),
    ],
)
def test_filters_let_through_the_group_and_the_item_they_name(
    keys: dict[str, Any], expected: bool
) -> None:
    assert hears(change(new=1), **keys) is expected


@pytest.mark.parametrize(
    "events", [["created"], ["create"], ["state:created"], ["CREATED"], ("created",)]
)
def test_events_are_read_in_each_of_their_spellings(events: Any) -> None:
    assert good({"type": "state", "events": events}).events == ("created",)


@pytest.mark.parametrize(
    "events", [[], "created", ["changed"], [None], 5, {"created"}, [["created"]]]
)
def test_what_is_no_list_of_events_is_a_problem(events: Any) -> None:
    assert "config.events: expected" in wrong({"type": "state", "events": events})


@pytest.mark.parametrize(
    ("key", "value"),
    [("groupId", ""), ("groupId", 5), ("key", []), ("onNoop", "yes"), ("onNoop", 1)],
)
def test_a_filter_of_the_wrong_kind_is_a_problem(key: str, value: Any) -> None:
    assert f"config.{key}: expected" in wrong({"type": "state", key: value})


def test_two_names_of_one_filter_are_a_problem() -> None:
    assert "'itemId' and 'key'" in wrong({"type": "state", "itemId": "1", "key": "1"})
    assert "'groupId' and 'scope'" in wrong({"type": "state", "groupId": "1", "scope": "1"})


@pytest.mark.parametrize(
    ("keys", "source"),
    [({}, "*/*"), ({"groupId": "g"}, "g/*"), ({"groupId": "g", "key": "k"}, "g/k")],
)
def test_the_source_tells_what_is_watched(keys: dict[str, Any], source: str) -> None:
    assert good({"type": "state", **keys}).source == source


@given(VALUES, VALUES)
def test_a_change_survives_the_ledger(old: Any, new: Any) -> None:
    event = change(old=old, new=new)
    stored = payloads.plain(event.to_json())
    assert good({"type": "state"}).clean_input(stored, "Step 'A'") == event


@pytest.mark.parametrize("raw", [None, 5, "text", [], {}, {"groupId": "orders"}])
def test_what_is_no_change_is_invalid_input(raw: Any) -> None:
    with pytest.raises(InvalidInput, match="expected eventType, groupId"):
        good({"type": "state"}).clean_input(raw, "Step 'A'")


def test_the_helpers_declare_the_same() -> None:
    def condition(input: Any) -> bool:
        return True

    for helper in (state_changed, state):
        declared = helper("orders", "17", events=["updated"], on_noop=True, condition=condition,
                          config={"maxRetries": 1})  # fmt: skip
        trigger = good(declared)
        assert (trigger.group_id, trigger.item_id, trigger.events) == ("orders", "17", ("updated",))
        assert (trigger.on_noop, trigger.delivery.max_retries) == (True, 1)
        assert trigger.condition is condition
        assert helper() == {"type": "state"}
