"""Delivery: what each key of a trigger's config means for its runs."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motia_django.declarations import Problem, camel
from motia_django.delivery import JITTER, LONGEST_BACKOFF, ONCE, Concurrency, Delivery
from tests.declared import reader

FULL = {
    "max_retries": 9,
    "retry_for": 86_400,
    "backoff_type": "fixed",
    "backoff_delay_ms": 250,
    "delay_seconds": 1.5,
    "visibility_timeout": 30,
    "queue": "slow",
    "priority": 7,
    "type": "fifo",
    "concurrency": {"limit": 3, "key": "customer.id"},
    "index": ["orderId"],
}
READ = {
    **{key: value for key, value in FULL.items() if key != "type"},
    "fifo": True,
    "concurrency": Concurrency(limit=3, key=("customer", "id")),
    "index": (("orderId", "orderId"),),
}
DELIVERIES = st.builds(
    Delivery,
    max_retries=st.integers(0, 10**6),
    backoff_type=st.sampled_from(["exponential", "fixed"]),
    backoff_delay_ms=st.floats(0, 1e9) | st.integers(0, 10**9),
    retry_for=st.none() | st.integers(1, 10**6),
)


def read(config: Any) -> tuple[Delivery, list[Problem]]:
    """Read a trigger's config."""
    given_ = reader({"config": config})
    return Delivery.read(given_), given_.problems


def test_without_a_config_all_is_default() -> None:
    assert Delivery.read(reader({})) == Delivery()
    assert read({}) == (Delivery(), [])
    assert (Delivery().max_retries, Delivery().backoff_type) == (3, "exponential")


def test_every_key_is_read_in_snake_case_and_in_camel_case() -> None:
    assert {each.name for each in fields(Delivery)} == set(READ), "a new key needs a test"
    expected = Delivery(**READ)  # type: ignore[arg-type]
    assert read(FULL) == (expected, [])
    assert read({camel(key): value for key, value in FULL.items()}) == (expected, [])
    assert expected.as_said() == {camel(key): value for key, value in FULL.items()}
    assert Delivery().as_said() == {}
    assert Delivery(concurrency=Concurrency(limit=3)).as_said() == {"concurrency": 3}


def test_the_standard_type_needs_no_saying() -> None:
    assert read({"type": "standard"}) == (Delivery(), [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("maxRetries", -1), ("maxRetries", 1.5), ("maxRetries", "3"), ("maxRetries", True),
        ("backoffType", "linear"), ("backoffType", 1),
        ("backoffDelayMs", -1), ("backoffDelayMs", float("nan")), ("backoffDelayMs", float("inf")),
        ("backoffDelayMs", "1000"), ("backoffDelayMs", 1e300),
        ("delaySeconds", -0.1), ("delaySeconds", None), ("delaySeconds", 10**400),
        ("visibilityTimeout", 0), ("visibilityTimeout", -5), ("visibilityTimeout", False),
        ("retryFor", 0), ("retryFor", -5), ("retryFor", True), ("retryFor", "1 day"),
        ("queue", ""), ("queue", 5),
        ("type", "no-such-type"),
        ("priority", -1), ("priority", 10), ("priority", 5.0), ("priority", True),
        ("concurrency", 0), ("concurrency", 10_001), ("concurrency", "1"), ("concurrency", True),
        ("concurrency", {"limit": 0}), ("concurrency", {"limit": 1, "key": " "}),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_a_problem_that_names_its_key(key: str, value: Any) -> None:
    _, problems = read({key: value})
    assert len(problems) == 1
    assert f"config.config.{key}: expected " in problems[0].message


def test_an_unknown_key_is_a_problem_with_the_nearest_one() -> None:
    _, problems = read({"maxRetrys": 5})
    assert "unknown key 'maxRetrys'" in problems[0].message
    assert problems[0].hint == "Did you mean 'maxRetries'?"


@pytest.mark.parametrize("config", ["fast", 5, [], [1], True])
def test_a_config_that_is_no_dict_is_a_problem(config: Any) -> None:
    _, problems = read(config)
    assert "expected a dict" in problems[0].message


@given(st.integers(0, 100), st.integers(1, 200))
def test_there_are_as_many_tries_as_one_and_the_retries(retries: int, attempt: int) -> None:
    assert Delivery(max_retries=retries).allows(attempt) is (attempt < 1 + retries)


def test_what_is_waited_for_is_tried_once() -> None:
    assert not ONCE.allows(1)


@given(DELIVERIES, st.integers(1, 10**9))
def test_the_backoff_is_never_negative_and_never_over_an_hour(
    delivery: Delivery, attempt: int
) -> None:
    assert timedelta() <= delivery.backoff(attempt) <= LONGEST_BACKOFF == timedelta(hours=1)


@given(st.floats(0, 1e6), st.integers(1, 30))
def test_the_backoff_doubles_within_its_jitter(delay: float, attempt: int) -> None:
    exact = delay / 1000 * 2 ** (attempt - 1)
    seconds = Delivery(backoff_delay_ms=delay).backoff(attempt).total_seconds()
    assert (
        min(exact * (1 - JITTER), 3600) - 1e-6 <= seconds <= min(exact * (1 + JITTER), 3600) + 1e-6
    )


@given(st.floats(0, 1e6), st.integers(1, 10**6))
def test_a_fixed_backoff_stays_within_its_jitter(delay: float, attempt: int) -> None:
    seconds = (
        Delivery(backoff_type="fixed", backoff_delay_ms=delay).backoff(attempt).total_seconds()
    )
    exact = delay / 1000
    assert exact * (1 - JITTER) - 1e-6 <= seconds <= exact * (1 + JITTER) + 1e-6


def test_without_jitter_the_backoff_is_exact() -> None:
    waits = [Delivery().backoff(n, jitter=lambda low, high: 1.0) for n in range(1, 20)]
    assert [each.total_seconds() for each in waits[:5]] == [1, 2, 4, 8, 16]
    assert all(earlier <= later for earlier, later in pairwise(waits))
    assert waits[-1] == LONGEST_BACKOFF


def test_the_jitter_is_there() -> None:
    assert len({Delivery().backoff(3) for _ in range(50)}) > 10
