"""What all triggers share: kinds, conditions, and values that answer to every spelling."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from motia_django import triggers
from motia_django.triggers.base import TriggerInfo
from motia_django.triggers.exchange import Request
from motia_django.triggers.state import StateChange
from tests.declared import good, read, wrong

MINIMAL: dict[str, dict[str, Any]] = {
    "http": {"path": "/x"},
    "queue": {"topic": "t"},
    "cron": {"schedule": "* * * * *"},
    "state": {},
    "stream": {"streamName": "s"},
}
KINDS = pytest.mark.parametrize("kind", triggers.KINDS)


def one_argument(input: Any) -> bool:
    return True


def two_arguments(input: Any, ctx: Any) -> bool:
    return True


async def in_async(input: Any) -> bool:
    return True


class Callable:
    seen: ClassVar[list[Any]] = []

    def __call__(self, input: Any) -> bool:
        return True


@KINDS
def test_every_kind_is_read_from_its_smallest_form(kind: str) -> None:
    trigger = good({"type": kind, **MINIMAL[kind]})
    assert trigger.kind == kind
    assert type(trigger) is triggers.KINDS[kind]
    assert trigger.condition is None
    assert trigger.source


@KINDS
def test_an_unknown_key_of_any_kind_is_a_problem_that_names_kind_and_key(kind: str) -> None:
    text = wrong({"type": kind, **MINIMAL[kind], "conditon": one_argument})
    assert f"unknown key 'conditon' of a trigger of type {kind}" in text
    assert "Did you mean 'condition'?" in text


@KINDS
@pytest.mark.parametrize(
    "condition", [one_argument, two_arguments, in_async, Callable(), lambda: True, lambda *a: True]
)
def test_a_condition_is_any_function_of_up_to_two_arguments(kind: str, condition: Any) -> None:
    assert good({"type": kind, **MINIMAL[kind], "condition": condition}).condition is condition


@KINDS
@pytest.mark.parametrize("condition", [True, "x > 1", lambda a, b, c: 1, lambda *, ctx: 1, {}])
def test_what_cannot_be_asked_is_no_condition(kind: str, condition: Any) -> None:
    text = wrong({"type": kind, **MINIMAL[kind], "condition": condition})
    assert "config.condition: expected a function of (input) or (input, ctx)" in text


@pytest.mark.parametrize("kind", ["HTTP", "Queue", "cron"])
def test_the_type_is_read_whatever_its_case(kind: str) -> None:
    assert good({"type": kind, **MINIMAL[kind.lower()]}).kind == kind.lower()


@pytest.mark.parametrize(
    ("kind", "hint"),
    [("htpt", "did you mean 'http'"), ("event", ""), (None, ""), (5, ""), ([], "")],
)
def test_an_unknown_type_is_a_problem_that_lists_all(kind: Any, hint: str) -> None:
    text = wrong({"type": kind, "topic": "t"})
    assert "expected one of http, queue, cron, state, stream" in text
    assert hint in text


def test_a_trigger_without_a_type_lacks_only_that() -> None:
    assert "the key 'type' is missing" in wrong({"topic": "t"})


def test_all_mistakes_of_one_trigger_are_reported_at_once() -> None:
    trigger, problems = read(
        {"type": "http", "method": 5, "path": "x", "bodySchema": 5, "condition": 5, "zzz": 5}
    )
    assert trigger is None
    assert len(problems) == 5


# -- values that answer to every spelling

CHANGE = StateChange(
    event_type="state:updated", group_id="orders", item_id="17", old_value={"a": 1}, new_value=None
)
REQUEST = Request(method="GET", path="/x", params={"id": "1"}, query={"q": "2"})


@pytest.mark.parametrize(
    ("value", "spellings", "expected"),
    [
        (CHANGE, ["group_id", "groupId", "scope"], "orders"),
        (CHANGE, ["item_id", "itemId", "key"], "17"),
        (CHANGE, ["old_value", "oldValue"], {"a": 1}),
        (CHANGE, ["new_value", "newValue"], None),
        (CHANGE, ["event_type", "eventType"], "state:updated"),
        (CHANGE, ["type"], "state"),
        (REQUEST, ["params", "path_params", "pathParams"], {"id": "1"}),
        (REQUEST, ["query", "query_params", "queryParams"], {"q": "2"}),
        (REQUEST, ["body"], None),
        (REQUEST, ["method"], "GET"),
    ],
)
def test_a_field_answers_to_every_spelling_as_attribute_and_item(
    value: Any, spellings: list[str], expected: Any
) -> None:
    for spelling in spellings:
        assert getattr(value, spelling) == expected
        assert value[spelling] == expected
        assert value.get(spelling, "default") == expected
        assert spelling in value


@pytest.mark.parametrize("value", [CHANGE, REQUEST])
def test_what_is_not_there_is_missing_as_python_has_it(value: Any) -> None:
    for name in ("nope", "noSuchThing", "_private", "__dunder__", ""):
        with pytest.raises(AttributeError):
            getattr(value, name)
        with pytest.raises(KeyError):
            value[name]
        assert value.get(name, "default") == "default"
        assert name not in value
    with pytest.raises(KeyError):
        value[0]
    assert 0 not in value
    assert not hasattr(value, "nope")


@pytest.mark.parametrize("value", [CHANGE, REQUEST])
def test_such_a_value_can_be_copied_and_pickled(value: Any) -> None:
    for again in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert again == value


def test_such_a_value_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        CHANGE.group_id = "other"  # type: ignore[misc]


# -- what a handler is told of its trigger


@pytest.mark.parametrize(
    ("kind", "source", "known"),
    [
        ("http", "GET /todos/:id", {"method": "GET", "path": "/todos/:id"}),
        ("queue", "todo.created", {"topic": "todo.created"}),
        ("cron", "0 * * * *", {"expression": "0 * * * *"}),
        ("state", "orders/17", {}),
        ("invoke", "Caller", {}),
    ],
)
def test_the_trigger_tells_what_its_kind_knows_and_none_else(
    kind: str, source: str, known: dict[str, str]
) -> None:
    info = TriggerInfo(type=kind, source=source, index=0, scheduled_time=datetime.now(UTC))
    names = ("method", "path", "topic", "expression")
    assert {name: getattr(info, name) for name in names if getattr(info, name)} == known
