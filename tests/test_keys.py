"""Index keys: what is read of an input, how it is spelled, and what may not be a key."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motia_django import keys
from motia_django.conf import settings
from motia_django.exceptions import InvalidIndex
from motia_django.keys import LONGEST_VALUE, MOST_GIVEN, Keys, kept
from motia_django.steps import read_step
from tests.declared import good, wrong
from tests.factories import make_step, nothing

QUEUE = {"type": "queue", "topic": "work"}


def problem_of(**config: Any) -> str:
    """Return the one problem of a Step with this config; nothing if it has none."""
    module = SimpleNamespace(config={"name": "Work", **config}, handler=nothing)
    step, problems = read_step(module, Path("work_step.py"), "tests")
    assert bool(step) is not bool(problems)
    return "".join(each.message for each in problems)


def of_input(index: Any, input: Any, **how: Any) -> Keys:
    """Return the keys of an input by an index as a file says it."""
    return keys.of_input(keys.index(index), input, **how)


def joined(there: Keys, given: dict[str, Any]) -> Keys:
    """Return keys with those of a handler whose Step leaves secrets to the setting."""
    return keys.joined(there, given, settings().redact)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("A-1", "A-1"),
        (7, "7"),
        ("7", "7"),
        (7.0, "7"),
        (7.5, "7.5"),
        (10**30, "1" + "0" * 30),
        (True, "true"),
        (" x ", " x "),
        ("a\x00b", "a\\x00b"),
        ("ü\ud800", "ü\\ud800"),
    ],
)
def test_a_scalar_is_kept_as_people_type_it(value: Any, text: str) -> None:
    assert of_input(["id"], {"id": value}) == (("id", text),)


@pytest.mark.parametrize("value", [None, "", [], {}, [1], {"id": 1}])
def test_what_is_no_scalar_or_empty_is_no_key(value: Any) -> None:
    assert of_input(["id"], {"id": value}) == ()


@pytest.mark.parametrize("input", [None, 7, "text", [{"id": 1}], {}, {"customer": "x"}])
def test_an_input_of_another_shape_has_no_keys(input: Any) -> None:
    assert of_input(["id", "customer.id"], input) == ()
    assert of_input(["id", "customer.id"], input, is_request=True) == ()


def test_a_dotted_path_leads_into_the_input_in_either_spelling() -> None:
    input = {"customer": {"id": 3}, "itemId": "k", "newValue": {"order_id": 9}}
    found = of_input(["customer.id", "item_id", "new_value.order_id"], input)
    assert found == (("customer.id", "3"), ("item_id", "k"), ("new_value.order_id", "9"))


def test_of_a_request_the_body_goes_before_the_path_and_that_before_the_query() -> None:
    request = {"body": {"a": 1}, "params": {"a": "2", "b": "3"}, "query": {"b": "4", "c": "5"}}
    found = of_input(["a", "b", "c", "headers"], request, is_request=True)
    assert found == (("a", "1"), ("b", "3"), ("c", "5"))


def test_of_a_request_a_path_may_say_where_it_begins() -> None:
    request = {"body": {"id": 1}, "params": {"id": "2"}, "query": {"id": "3"}, "headers": {"id": 4}}
    index = {"a": "params.id", "b": "query.id", "c": "body.id", "d": "id", "e": "headers.id"}
    found = of_input(index, request, is_request=True)
    assert found == (("a", "2"), ("b", "3"), ("c", "1"), ("d", "1"))


def test_a_key_may_have_a_name_of_its_own() -> None:
    index = {"orderId": "input.orderId", "who": "input.customer.id"}
    dead = {"runId": "x", "input": {"orderId": 17, "customer": {"id": "C"}}}
    assert of_input(index, dead) == (("orderId", "17"), ("who", "C"))


def test_a_name_of_several_paths_has_what_each_leads_to_once() -> None:
    index = {"customer": ["customerId", "customer"], "shop": "shop"}
    assert of_input(index, {"customer": 7}) == (("customer", "7"),)
    assert of_input(index, {"customerId": 7, "customer": "7"}) == (("customer", "7"),)
    both = of_input(index, {"customerId": 7, "customer": 8, "shop": 7})
    assert both == (("customer", "7"), ("customer", "8"), ("shop", "7"))


@given(st.text(max_size=400))
def test_what_is_kept_is_found_by_typing_the_same(text: str) -> None:
    assert len(kept(text)) <= LONGEST_VALUE
    assert kept(text) != kept(f"{text} ")
    assert "\x00" not in kept(text)


def test_long_values_that_begin_alike_are_not_the_same() -> None:
    assert kept("x" * 500 + "a") != kept("x" * 500 + "b")


def test_a_step_and_its_trigger_name_keys_together() -> None:
    trigger = {**QUEUE, "config": {"index": ["lines.first", "orderId"]}}
    step = make_step(lambda: None, trigger, index=["orderId"])
    assert [name for name, _ in step.index_of(step.triggers[0])] == ["orderId", "lines.first"]


def test_of_one_name_the_path_of_the_trigger_counts() -> None:
    one = {**QUEUE, "config": {"index": {"orderId": "input.orderId"}}}
    step = make_step(lambda: None, one, {**QUEUE, "topic": "other"}, index=["orderId", "shop"])
    own, other = (step.index_of(each) for each in step.triggers)
    assert dict(own) == {"orderId": "input.orderId", "shop": "shop"}
    assert dict(other) == {"orderId": "orderId", "shop": "shop"}


def test_of_one_name_all_paths_of_the_trigger_count_and_else_all_of_the_step() -> None:
    one = {**QUEUE, "config": {"index": {"customer": ["input.customerId", "input.customer"]}}}
    two = {**QUEUE, "topic": "other", "config": {"index": ["shop"]}}
    step = make_step(lambda: None, one, two, index={"customer": ["customerId", "customer"]})
    own, other = (step.index_of(each) for each in step.triggers)
    assert own == (("customer", "input.customerId"), ("customer", "input.customer"))
    assert other == (("customer", "customerId"), ("customer", "customer"), ("shop", "shop"))


def test_an_http_trigger_takes_an_index_and_nothing_else() -> None:
    declared = {"type": "http", "path": "/orders/:id", "config": {"index": ["id"]}}
    assert good(declared).delivery.index == (("id", "id"),)
    assert good(declared).delivery.max_retries == 0
    assert "unknown key 'maxRetries'" in wrong({**declared, "config": {"maxRetries": 1}})


@pytest.mark.parametrize(
    "index",
    [
        ["orderId", "shop.id"],
        {"orderId": "id", "shop": "shop.id"},
        {"customer": ["customer", "customerId"], "shop": "shop.id"},
    ],
)
def test_an_index_is_told_as_it_was_said(index: Any) -> None:
    declared = {**QUEUE, "config": {"index": index}}
    assert good(declared).delivery.as_said() == {"index": index}


@pytest.mark.parametrize("path", ["password", "apiKey", "auth.access_token", "token.id"])
@pytest.mark.parametrize(
    "said", [lambda path: [path], lambda path: {"id": path}, lambda path: {"id": ["id", path]}]
)
def test_a_secret_is_refused_as_a_key(said: Any, path: str) -> None:
    index = said(path)
    of_trigger = problem_of(triggers=[QUEUE, {**QUEUE, "config": {"index": index}}])
    assert "config.triggers[1].config.index: expected names that MOTIA['REDACT']" in of_trigger
    of_step = problem_of(triggers=[QUEUE], index=index)
    assert "config.index: expected names that MOTIA['REDACT'] does not mask" in of_step


def test_what_is_a_secret_as_a_key_is_for_its_step_to_say() -> None:
    assert problem_of(triggers=[QUEUE], index=["token.id"], redact=[]) == ""
    own = problem_of(triggers=[QUEUE], index=["customer.name"], redact=["name"])
    assert "expected names that 'redact' does not mask: 'customer.name' looks like" in own
    for name, whose in {"token": "MOTIA['REDACT']", "name": "'redact'"}.items():
        added = problem_of(triggers=[QUEUE], index=[name], redact={"add": ["name"]})
        assert f"expected names that {whose} does not mask: '{name}' looks like" in added
    named = problem_of(triggers=[QUEUE], index={"name": "customer.id"}, redact=["name"])
    assert "'name' looks like a secret" in named
    assert keys.joined((), {"token": 1}, ()) == (("token", "1"),)


@pytest.mark.parametrize(
    "value",
    [
        "orderId", 7, [7], [["a"]], [""], ["a..b"], ["a=b"], ["x" * 101], ["a\n"],
        {7: "a"}, {"": "a"}, {"a=b": "a"}, {"x" * 101: "a"}, {"a": ""}, {"a": 7}, {"a": None},
        {"a": "b..c"}, {"a": []}, {"a": ["b", 7]}, {"a": ["b", "b..c"]}, {"a": [["b"]]},
    ],
)  # fmt: skip
def test_what_is_no_list_of_names_is_refused(value: Any) -> None:
    assert "names" in wrong({**QUEUE, "config": {"index": value}})


def test_what_is_refused_is_told_the_forms_there_are() -> None:
    told = wrong({**QUEUE, "config": {"index": 7}})
    assert 'or with a list of paths, such as {"customer": ["customerId", "customer"]}' in told
    told = wrong({**QUEUE, "config": {"index": {"a": []}}})
    assert "or in a dict a list of them for one name ([] is none)" in told


# -- keys that a handler gives its run


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (17, "17"),
        (" A-1 ", " A-1 "),
        (True, "true"),
        (2**70, str(2**70)),
        (UUID(int=7), str(UUID(int=7))),
        (Decimal("1.50"), "1.50"),
        (date(2026, 11, 29), "2026-11-29"),
        ("x" * 400, kept("x" * 400)),
    ],
)
def test_what_a_handler_gives_is_kept_as_if_it_came_in_an_input(value: Any, text: str) -> None:
    assert joined((), {"orderId": value}) == (("orderId", text),)


def test_what_was_given_before_stays_and_the_same_is_given_once() -> None:
    first = joined((), {"orderId": 1, "shop": "A"})
    assert joined(first, {"orderId": "1"}) == first
    assert joined(first, {"orderId": 2}) == (*first, ("orderId", "2"))


@pytest.mark.parametrize("value", [None, "", [1], {"id": 1}, object(), float("nan")])
def test_what_is_neither_a_text_nor_a_number_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(InvalidIndex, match="^ctx.index: orderId: expected a text or a number, got"):
        joined((), {"orderId": value})


@pytest.mark.parametrize("name", ["", "a=b", "x" * 101, "a\n", "apiKey", "card.token"])
def test_a_name_that_no_key_may_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidIndex, match="^ctx.index: expected names"):
        joined((), {name: 1})


def test_too_many_are_refused() -> None:
    many = joined((), {f"n{number}": number for number in range(MOST_GIVEN)})
    assert len(joined(many, {"n0": 0})) == MOST_GIVEN
    with pytest.raises(InvalidIndex, match=f"at most {MOST_GIVEN} keys in an attempt"):
        joined(many, {"one": 1})
