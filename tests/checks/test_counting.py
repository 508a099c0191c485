"""Keys that runs are counted by, or found by: those that no input has are told of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field

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


class Renamed(BaseModel):
    customer: Customer = Field(validation_alias=AliasChoices("customerId", "customer"))
    shop: int = Field(validation_alias=AliasChoices("shopId", AliasPath("shops", 0)))
    order_number: int = Field(alias="orderId")
    lines: list[Customer]


class ByName(Renamed):
    model_config = ConfigDict(validate_by_name=True)


class Populated(Renamed):
    model_config = ConfigDict(populate_by_name=True)


class ByNameAlone(Renamed):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=False)


class Nested(BaseModel):
    order: Renamed


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
        (Renamed, "order_number", "order_number", None),
        (Renamed, "customer.idd", "idd", "Did you mean 'id'?"),
        (Renamed, "customerId.idd", "idd", "Did you mean 'id'?"),
        (Renamed, "customerid", "customerid", "Did you mean 'customerId'?"),
        (Nested, "order.shop", "shop", "Did you mean 'shops'?"),
        (ByNameAlone, "customerId", "customerId", "Did you mean 'customer'?"),
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
        (Renamed, "customer.id"),
        (Renamed, "customerId.id"),
        (Renamed, "shopId"),
        (Renamed, "shops"),
        (Renamed, "orderId"),
        (Nested, "order.customer.id"),
        (ByName, "order_number"),
        (ByName, "orderId"),
        (ByName, "shop"),
        (Populated, "order_number"),
        (Populated, "customerId"),
        (ByNameAlone, "order_number"),
        (None, "whatever"),
        ({"type": "object"}, "whatever"),
        (dict[str, int], "whatever"),
        (Callable[[], int], "whatever"),
    ],
)
def test_what_may_be_there_is_none(input: Any, key: str) -> None:
    assert warnings(input, key) == []


QUEUE = {"type": "queue", "topic": "work", "input": Order}
HTTP = {"type": "http", "method": "POST", "path": "/orders/:shop", "bodySchema": Order}


def told(index: str, *triggers: Any) -> list[str | None]:
    """Return the hints to a name that the runs of these triggers are to be found by."""
    with installed(make_step(nothing, *triggers, index=[index])):
        found = list(counted_keys(None))
    assert all(each.id == "motia.W007" and f"{index!r} (index)" in each.msg for each in found)
    return [each.hint for each in found]


@pytest.mark.parametrize("triggers", [(QUEUE,), (HTTP,), (QUEUE, HTTP)])
def test_a_name_in_index_that_no_input_knows_is_a_warning(triggers: Any) -> None:
    assert told("orderid", *triggers) == ["Did you mean 'orderId'?"]
    assert told("customer.idd", *triggers) == ["Did you mean 'id'?"]
    for name in ("orderId", "order_id", "customer.id"):
        assert told(name, *triggers) == []


def test_so_is_one_of_a_trigger_of_its_own() -> None:
    with installed(make_step(nothing, {**QUEUE, "config": {"index": ["orderid"]}}, HTTP)):
        assert [each.hint for each in counted_keys(None)] == ["Did you mean 'orderId'?"]


@pytest.mark.parametrize(
    ("index", "hints"),
    [
        ({"orderId": "orderid"}, ["Did you mean 'orderId'?"]),
        ({"orderId": "params.shopp"}, ["Did you mean 'shop'?"]),
        ({"orderId": "body.customer.idd"}, ["Did you mean 'id'?"]),
        ({"orderId": "body.order_id", "shop": "params.shop", "page": "query.page"}, []),
    ],
)
def test_so_is_a_path_that_has_a_name_of_its_own(index: Any, hints: list[str]) -> None:
    with installed(make_step(nothing, HTTP, index=index)):
        assert [each.hint for each in counted_keys(None)] == hints


def of(index: Any, *triggers: Any) -> list[tuple[str, str | None]]:
    """Return what is said of the names that the runs of these triggers are to be found by."""
    with installed(make_step(nothing, *triggers, index=index)):
        return [(each.msg, each.hint) for each in counted_keys(None)]


def test_a_name_of_several_paths_is_told_of_if_no_input_has_any() -> None:
    assert of({"order": ["orderid", "order_id"]}, QUEUE) == []
    assert of({"order": ["orderid", "params.shop"]}, QUEUE, HTTP) == []
    [(message, hint)] = of({"order": ["xx", "orderid"]}, QUEUE, HTTP)
    assert message == (
        "Runs of Step 'Work' are to be found by 'xx' or 'orderid' (index), and 'xx' and 'orderid'"
        " are no properties of its input."
    )
    assert hint == "Did you mean 'orderId'?"


@pytest.mark.parametrize("key", ["bodySchema", "querySchema"])
def test_every_name_that_a_model_takes_a_field_by_is_one_to_be_found_by(key: str) -> None:
    took = {**HTTP, "bodySchema": OBJECT, key: Renamed}
    for trigger in (took, {**QUEUE, "input": Renamed}):
        for name in ("customer.id", "customerId.id", "shops", "orderId"):
            assert of([name], trigger) == []
        assert len(of(["order_number"], trigger)) == 1


def test_of_a_name_that_a_trigger_says_anew_the_path_of_the_step_is_not_asked() -> None:
    own = {**QUEUE, "config": {"index": {"orderId": "order_id"}}}
    with installed(make_step(nothing, own, index={"orderId": "orderid"})):
        assert [*counted_keys(None)] == []


@pytest.mark.parametrize(
    ("index", "triggers"),
    [
        ("shop", (HTTP,)),
        ("page", ({**HTTP, "querySchema": {"type": "object", "properties": {"page": {}}}},)),
        ("orderid", (QUEUE, {"type": "queue", "topic": "other"})),
        ("orderid", (QUEUE, {"type": "state"})),
        ("orderid", ({"type": "http", "path": "/orders"},)),
    ],
)
def test_a_name_that_some_input_may_have_is_none(index: str, triggers: Any) -> None:
    assert told(index, *triggers) == []
