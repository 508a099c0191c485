"""The operations of `state.update`: applied in order, all or none."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motia_django import payloads
from motia_django.exceptions import InvalidUpdate
from motia_django.stores.base import MISSING
from motia_django.stores.updates import updated
from tests.test_payloads import JSON

PATHS = st.sampled_from([None, "", "a", "b", "a.b", "a.b.c", ["a", "b"], [""], ["a.b"]])
OPS = st.fixed_dictionaries(
    {"type": st.sampled_from(["set", "merge", "increment", "decrement", "append", "remove"])},
    optional={"path": PATHS, "value": JSON, "by": st.integers()},
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), JSON, max_size=3)


def op(kind: str, path: Any = None, **keys: Any) -> dict[str, Any]:
    """Return an operation."""
    return {"type": kind, **({} if path is None else {"path": path}), **keys}


def refusal(old: Any, *ops: Any) -> str:
    """Return the text with which these operations are refused, having changed nothing."""
    before = copy.deepcopy(old) if old is not MISSING else old
    with pytest.raises(InvalidUpdate) as refused:
        updated(old, list(ops))
    assert old is MISSING or old == before
    return str(refused.value)


@pytest.mark.parametrize(
    ("old", "operation", "new"),
    [
        ({"a": 1}, op("set", "a", value=2), {"a": 2}),
        ({"a": 1}, op("set", "b", value={"x": [1]}), {"a": 1, "b": {"x": [1]}}),
        ({"a": {"b": 1}}, op("set", "a.b", value=None), {"a": {"b": None}}),
        ({}, op("set", "a.b.c", value=1), {"a": {"b": {"c": 1}}}),
        ({"a": None}, op("set", "a.b", value=1), {"a": {"b": 1}}),
        ({"a": 1}, op("set", value=5), 5),
        ({"a": 1}, op("set", "", value=[1]), [1]),
        (5, op("set", value={"a": 1}), {"a": 1}),
        ({"a": {"b": 1}}, op("merge", "a", value={"c": 2}), {"a": {"b": 1, "c": 2}}),
        ({"a": 1}, op("merge", value={"a": 2, "b": 3}), {"a": 2, "b": 3}),
        ({"a": {"b": {"c": 1}}}, op("merge", "a", value={"b": {"d": 2}}), {"a": {"b": {"d": 2}}}),
        ({}, op("merge", "x.y", value={"a": 1}), {"x": {"y": {"a": 1}}}),
        ({"n": 1}, op("increment", "n"), {"n": 2}),
        ({"n": 1}, op("increment", "n", by=5), {"n": 6}),
        ({"n": 1}, op("increment", "n", value=5), {"n": 6}),
        ({"n": 1}, op("increment", "n", by=0.5), {"n": 1.5}),
        ({"n": 1}, op("increment", "n", by=-5), {"n": -4}),
        ({"n": 2**64}, op("increment", "n", by=2**70), {"n": 2**64 + 2**70}),
        ({}, op("increment", "a.n"), {"a": {"n": 1}}),
        ({"n": 1}, op("decrement", "n"), {"n": 0}),
        ({}, op("decrement", "n", by=2), {"n": -2}),
        (5, op("increment"), 6),
        ({"l": [1]}, op("append", "l", value=2), {"l": [1, 2]}),
        ({"l": [1]}, op("append", "l", value=[2, 3]), {"l": [1, [2, 3]]}),
        ({}, op("append", "a.l", value={"x": 1}), {"a": {"l": [{"x": 1}]}}),
        ([1], op("append", value=2), [1, 2]),
        ({"a": 1, "b": 2}, op("remove", "a"), {"b": 2}),
        ({"a": {"b": 1, "c": 2}}, op("remove", "a.b"), {"a": {"c": 2}}),
        ({"a": 1}, op("remove", "missing"), {"a": 1}),
        ({"a": 1}, op("remove", "missing.deep.er"), {"a": 1}),
        # a list takes its segments as they are
        ({"a.b": 1}, op("set", ["a.b"], value=2), {"a.b": 2}),
        ({"a": {"b.c": 1}}, op("increment", ["a", "b.c"]), {"a": {"b.c": 2}}),
        ({"a.b": 1, "a": {}}, op("remove", ("a.b",)), {"a": {}}),
        ({"": {"x": 1}}, op("set", ["", "x"], value=2), {"": {"x": 2}}),
        ({"a": 1}, op("set", [], value=2), 2),
        ({}, op("set", "größe.日本", value=1), {"größe": {"日本": 1}}),
        (MISSING, op("set", "a", value=1), {"a": 1}),
        (MISSING, op("merge", value={"a": 1}), {"a": 1}),
        (MISSING, op("remove", "a"), {}),
    ],
)  # fmt: skip
def test_an_operation_does_what_its_name_says(old: Any, operation: Any, new: Any) -> None:
    before = copy.deepcopy(old) if old is not MISSING else old
    result = updated(old, [operation])
    assert payloads.dumps(result) == payloads.dumps(new)
    assert old is MISSING or old == before, "the old value is not touched"


def test_operations_are_applied_one_after_the_other() -> None:
    ops = [
        op("set", "n", value=1),
        op("increment", "n", by=2),
        op("append", "log", value="x"),
        op("append", "log", value="y"),
        op("remove", "old"),
    ]
    assert updated({"old": 1}, ops) == {"n": 3, "log": ["x", "y"]}


def test_without_operations_nothing_changes_and_a_missing_item_is_an_empty_object() -> None:
    assert updated({"a": 1}, []) == {"a": 1}
    assert updated(MISSING, ()) == {}


@pytest.mark.parametrize(
    ("old", "operation", "texts"),
    [
        ({"a": "x"}, op("increment", "a"), ["increment at a", "expected a number", "'x'"]),
        ({"a": True}, op("increment", "a"), ["expected a number", "True"]),
        ({"a": None}, op("decrement", "a"), ["decrement at a", "expected a number", "None"]),
        ({}, op("increment"), ["increment at the whole value", "expected a number"]),
        ({"a": {"b": 1}}, op("append", "a.b", value=1), ["append at a.b", "expected a list", "1"]),
        ({"a": [1]}, op("merge", "a", value={}), ["merge at a", "expected an object", "[1]"]),
        ({}, op("merge", "a", value=[1]), ["expected an object as value"]),
        ({"a": 5}, op("set", "a.b", value=1), ["set at a.b", "an object to hold 'b'", "5"]),
        ({"a": [1]}, op("set", "a.0", value=1), ["an object to hold '0'"]),
        ("text", op("set", "a", value=1), ["an object to hold 'a'", "'text'"]),
        ({"a": 5}, op("remove", "a.b"), ["remove at a.b", "an object to hold 'b'"]),
        ({}, op("remove"), ["remove at the whole value", "a path to remove"]),
        ({}, op("set", "a"), ["set at a", "'value' is missing"]),
        ({}, op("append", "a"), ["'value' is missing"]),
        ({}, op("set", "a", value=object()), ["set at a", "value: ", "cannot be written as JSON"]),
        ({}, op("set", "a", value=math.nan), ["nan is nothing that JSON can hold"]),
        ({}, op("increment", "a", by="2"), ["by: expected a number", "'2'"]),
        ({}, op("increment", "a", by=True), ["by: expected a number"]),
        ({}, op("increment", "a", by=math.nan), ["by: expected a number"]),
        ({}, op("increment", "a", by=math.inf), ["by: expected a number"]),
        ({"a": 1e308}, op("increment", "a", by=1e308), ["increment at a", "leaves room"]),
        ({"a": 10**400}, op("increment", "a", by=0.5), ["increment at a", "leaves room"]),
        ({}, op("set", 5, value=1), ["path: expected a string or a list of strings", "5"]),
        ({}, op("set", ["a", 0], value=1), ["path: expected a string or a list of strings"]),
        ({}, op("set", {"a": 1}, value=1), ["path: expected"]),
        ({}, op("incremnt", "a"), ["unknown type 'incremnt'", "Did you mean 'increment'?"]),
        ({}, {"path": "a", "value": 1}, ["unknown type"]),
        ({}, {"type": [], "value": 1}, ["unknown type"]),
        ({}, {"type": None}, ["unknown type"]),
        ({}, op("set", "a", value=1, vaule=2), ["unknown key 'vaule'"]),
        ({}, "set", ["expected a dict", "'set'"]),
        ({}, None, ["expected a dict"]),
        ({}, 5, ["expected a dict"]),
    ],
)  # fmt: skip
def test_what_cannot_be_applied_is_refused_naming_operation_and_path(
    old: Any, operation: Any, texts: list[str]
) -> None:
    harmless = op("set", "first", value=1) if isinstance(old, dict) else op("set", value=old)
    text = refusal(old, harmless, operation)
    assert text.startswith("state.update: operation 1")
    assert all(each in text for each in texts), text


@pytest.mark.parametrize("ops", [None, "set", 5, {"type": "set", "value": 1}, b"x", {1}, iter([])])
def test_what_is_no_list_of_operations_is_refused(ops: Any) -> None:
    with pytest.raises(InvalidUpdate):
        updated({}, ops)


@given(OBJECTS, st.lists(OPS, max_size=5))
def test_any_operations_give_json_or_are_refused_and_never_touch_the_old_value(
    old: dict[str, Any], ops: list[dict[str, Any]]
) -> None:
    before, ops_before = copy.deepcopy(old), copy.deepcopy(ops)
    try:
        new = updated(old, ops)
    except InvalidUpdate:
        pass
    else:
        assert payloads.plain(new) == new
    assert (old, ops) == (before, ops_before)


def test_the_value_of_an_operation_is_copied() -> None:
    value = {"tags": ["a"]}
    new = updated({}, [op("set", "x", value=value), op("append", "x.tags", value="b")])
    assert new == {"x": {"tags": ["a", "b"]}}
    assert value == {"tags": ["a"]}


def test_motias_spelling_is_known() -> None:
    ops = [
        {"op": "set", "path": "/a/b.c", "value": 1},
        {"op": "increment", "path": "/n", "by": 2},
        {"op": "merge", "path": "", "value": {"m": 0}},
    ]
    assert updated({}, ops) == {"a": {"b.c": 1}, "n": 2, "m": 0}


def test_a_function_is_given_the_value() -> None:
    assert updated(MISSING, lambda old: [old]) == [None]
    old = {"a": [1]}
    assert updated(old, lambda value: value["a"].append(2) or value) == {"a": [1, 2]}
    assert old == {"a": [1]}
