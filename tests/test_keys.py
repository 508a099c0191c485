"""Index keys: what is read of an input, how it is spelled, and what may not be a key."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motia_django.keys import LONGEST_VALUE, kept, of_input
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
        (" x ", "x"),
        ("a\x00b", "a\\x00b"),
        ("ü\ud800", "ü\\ud800"),
    ],
)
def test_a_scalar_is_kept_as_people_type_it(value: Any, text: str) -> None:
    assert of_input(["id"], {"id": value}) == (("id", text),)


@pytest.mark.parametrize("value", [None, "", "  ", [], {}, [1], {"id": 1}])
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


@given(st.text(max_size=400))
def test_what_is_kept_is_found_by_typing_the_same(text: str) -> None:
    assert len(kept(text)) <= LONGEST_VALUE
    assert kept(text) == kept(f" {text}\n")
    assert "\x00" not in kept(text)


def test_long_values_that_begin_alike_are_not_the_same() -> None:
    assert kept("x" * 500 + "a") != kept("x" * 500 + "b")


def test_a_step_and_its_trigger_name_keys_together() -> None:
    trigger = {**QUEUE, "config": {"index": ["lines.first", "orderId"]}}
    step = make_step(lambda: None, trigger, index=["orderId"])
    assert step.index_names(step.triggers[0]) == ("orderId", "lines.first")


def test_an_http_trigger_takes_an_index_and_nothing_else() -> None:
    declared = {"type": "http", "path": "/orders/:id", "config": {"index": ["id"]}}
    assert good(declared).delivery.index == ("id",)
    assert good(declared).delivery.max_retries == 0
    assert "unknown key 'maxRetries'" in wrong({**declared, "config": {"maxRetries": 1}})


@pytest.mark.parametrize("path", ["password", "apiKey", "auth.access_token", "token.id"])
def test_a_secret_is_refused_as_a_key(path: str) -> None:
    of_trigger = problem_of(triggers=[QUEUE, {**QUEUE, "config": {"index": ["id", path]}}])
    assert "config.triggers[1].config.index: expected names that MOTIA['REDACT']" in of_trigger
    of_step = problem_of(triggers=[QUEUE], index=[path])
    assert "config.index: expected names that MOTIA['REDACT'] does not mask" in of_step


def test_what_is_a_secret_as_a_key_is_for_its_step_to_say() -> None:
    assert problem_of(triggers=[QUEUE], index=["token.id"], redact=[]) == ""
    own = problem_of(triggers=[QUEUE], index=["customer.name"], redact=["name"])
    assert "expected names that 'redact' does not mask: 'customer.name' looks like" in own


@pytest.mark.parametrize("value", ["orderId", [7], [""], ["a..b"], ["a=b"], ["x" * 101], ["a\n"]])
def test_what_is_no_list_of_names_is_refused(value: Any) -> None:
    assert "names" in wrong({**QUEUE, "config": {"index": value}})
