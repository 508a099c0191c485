"""Keys that `concurrency` counts runs by: those that no message has are told of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from motia_django.checks.counting import counted_keys
from tests.factories import installed, make_step, nothing


class Customer(BaseModel):
    id: int


class Order(BaseModel):
    customer: Customer
    order_id: int = Field(alias="orderId")
    note: Any = None
    other: Customer | None = None


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: int


OBJECT = {"type": "object", "properties": {"id": {}}}


def warnings(input: Any, key: str) -> list[tuple[str | None, str, str | None]]:
    """Return what is said of a key that runs with this input are counted by."""
    trigger = {
        "type": "queue",
        "topic": "work",
        "config": {"concurrency": {"limit": 1, "key": key}},
    }
    trigger |= {"input": input} if input is not None else {}
    with installed(make_step(nothing, trigger), make_step(name="Other")):
        return [(each.id, each.msg, each.hint) for each in counted_keys(None)]


@pytest.mark.parametrize(
    ("input", "key", "name", "hint"),
    [
        (Order, "custmer", "custmer", "Did you mean 'customer'?"),
        (Order, "customer.idd", "idd", "Did you mean 'id'?"),
        (Order, "order_id", "order_id", "Did you mean 'orderId'?"),
        (OBJECT, "größe", "größe", None),
    ],
)
def test_a_key_that_the_input_does_not_know_is_a_warning(
    input: Any, key: str, name: str, hint: str | None
) -> None:
    [(id, message, found)] = warnings(input, key)
    assert (id, found) == ("motia.W007", hint)
    assert message == (
        f"Step 'Work' counts its runs by {key!r} (concurrency), and {name!r} is no property of its"
        " input."
    )


@pytest.mark.parametrize(
    ("input", "key"),
    [
        (Order, "customer"),
        (Order, "customer.id"),
        (Order, "orderId"),
        (Order, "note.anything"),
        (Order, "other.idd"),
        (Open, "whatever"),
        (None, "whatever"),
        ({"type": "object"}, "whatever"),
        (dict[str, int], "whatever"),
        (Callable[[], int], "whatever"),
    ],
)
def test_what_may_be_there_is_none(input: Any, key: str) -> None:
    assert warnings(input, key) == []
