"""The queue trigger."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from motia_django import queue
from motia_django.exceptions import InvalidInput
from tests.declared import good, wrong


class TodoCreated(BaseModel):
    todoId: str


@pytest.mark.parametrize("topic", ["todo.created", "a-b", "a::b", "größe", "with space"])
def test_any_text_may_be_a_topic(topic: str) -> None:
    trigger = good({"type": "queue", "topic": topic})
    assert (trigger.topic, trigger.source) == (topic, topic)


@pytest.mark.parametrize("topic", ["", "  ", None, 5, ["a"], b"a"])
def test_what_is_no_text_is_no_topic(topic: Any) -> None:
    assert "config.topic: expected a string" in wrong({"type": "queue", "topic": topic})


def test_the_input_is_checked_by_its_schema() -> None:
    trigger = good(queue("t", input=TodoCreated))
    assert trigger.clean_input({"todoId": "17"}, "Step 'A'") == TodoCreated(todoId="17")
    with pytest.raises(InvalidInput) as refused:
        trigger.clean_input({}, "Step 'A'")
    assert refused.value.errors == {"todoId": ["Field required"]}


def test_without_a_schema_the_input_is_given_as_it_came() -> None:
    data = {"a": [1]}
    assert good(queue("t")).clean_input(data, "Step 'A'") is data


def test_the_helper_declares_the_same() -> None:
    def condition(input: Any) -> bool:
        return True

    trigger = good(queue("t", input=TodoCreated, condition=condition, config={"maxRetries": 9}))
    assert trigger.topic == "t"
    assert trigger.condition is condition
    assert trigger.delivery.max_retries == 9
    assert queue("t") == {"type": "queue", "topic": "t"}
