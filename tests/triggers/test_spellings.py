"""The keyword arguments of the helpers: either spelling, and unknown ones answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import pytest

from motia_django import cron, http, queue, state, state_changed, step, stream
from motia_django.declarations import camel
from tests.declared import good, wrong

Helper = Callable[..., Mapping[str, Any]]

CLOSED = [
    (cron, ("@daily",), "zone", "cron(): unknown key 'zone'. Did you mean 'timezone'?"),
    (queue, ("t",), "inptu", "queue(): unknown key 'inptu'. Did you mean 'input'?"),
    (stream, ("s",), "groupid", "stream(): unknown key 'groupid'. Did you mean 'groupId'?"),
    (state, ("g",), "onNop", "state_changed(): unknown key 'onNop'. Did you mean 'onNoop'?"),
    (stream, ("s",), "größe", "stream(): unknown key 'größe'. Known are condition, config, "),
]


@pytest.mark.parametrize("helper", [http, queue, cron, state_changed, stream])
def test_every_key_is_taken_in_camel_case_as_in_snake_case(helper: Helper) -> None:
    names = [name for name in signature(helper).parameters if name not in ("more", "expression")]
    plain = helper(**{name: f"the {name}" for name in names})
    assert helper(**{camel(name): f"the {name}" for name in names}) == plain
    assert set(plain.values()) > {f"the {name}" for name in names}


@pytest.mark.parametrize(
    ("helper", "keys", "same"),
    [
        (state, {"scope": "orders", "itemId": "17"}, state("orders", "17")),
        (state, {"groupId": "orders", "item_id": "17"}, state("orders", "17")),
        (cron, {"cron": "@daily"}, cron("@daily")),
        (cron, {"expression": "@daily"}, cron("@daily")),
    ],
)
def test_a_key_is_taken_by_its_other_names_as_in_a_dict(
    helper: Helper, keys: dict[str, str], same: Mapping[str, Any]
) -> None:
    assert helper(**keys) == same


@pytest.mark.parametrize(("helper", "first", "key", "text"), CLOSED)
def test_an_unknown_key_is_refused_with_the_nearest(
    helper: Helper, first: tuple[str], key: str, text: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(text)):
        helper(*first, **{key: 1})


@pytest.mark.parametrize("key", ["max_retries", "maxRetries", "type", "concurrency"])
@pytest.mark.parametrize("helper", [queue, cron, state, stream])
def test_a_key_of_the_config_is_sent_there(helper: Helper, key: str) -> None:
    with pytest.raises(TypeError, match=re.escape(f"Write config={{'{key}': ...}}.")):
        helper("x", **{key: 4})


def test_an_unknown_key_of_an_http_trigger_is_answered_when_it_is_read() -> None:
    assert good(http("GET", "/x", maxBodySize=5)).intake.max_body_size == 5
    text = wrong(http("GET", "/x", bodyShema=dict))
    assert text.endswith(
        "unknown key 'bodyShema' of a trigger of type http Did you mean 'bodySchema'?"
    )


@pytest.mark.parametrize(
    ("helper", "first", "keys"),
    [
        (http, ("GET", "/x"), {"bodySchema": dict, "body_schema": dict}),
        (http, ("GET", "/x"), {"maxBodySize": 1, "max_body_size": 1}),
        (cron, ("@daily",), {"catchUp": True, "catch_up": True}),
        (cron, (), {"schedule": "@daily", "expression": "@hourly"}),
        (state, (), {"scope": "a", "groupId": "b"}),
        (step, ("A",), {"onDead": "a", "on_dead": "b", "triggers": []}),
    ],
)
def test_a_key_in_both_spellings_is_refused(
    helper: Helper, first: tuple[str, ...], keys: dict[str, Any]
) -> None:
    one, other, *_ = keys
    text = rf"^\w+\(\): '{one}' and '{other}' are two spellings of one key$"
    with pytest.raises(TypeError, match=text):
        helper(*first, **keys)
