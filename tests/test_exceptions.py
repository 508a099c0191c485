"""Errors: one root, one voice, and they survive a journey between processes."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from motia_django import exceptions
from motia_django.exceptions import (
    InvalidInput,
    InvalidResponse,
    MotiaError,
    UnknownFlow,
    UnknownStep,
    UnknownStream,
    VersionConflict,
    did_you_mean,
)

PLAIN = [
    each
    for _, each in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(each, MotiaError) and "__init__" not in vars(each) and each is not InvalidResponse
]
ERRORS = [each("a text") for each in PLAIN] + [
    InvalidInput("Step 'A'", {"items.0.price": ["too low", "too odd"], "": ["no"]}),
    InvalidResponse("The result", {"": ["no"]}),
    UnknownStep("CreateTdo", ["CreateTodo", "ListTodos"]),
    UnknownFlow("tdos", ["todos"]),
    UnknownStream("ordrs", ["orders"]),
    VersionConflict("orders", "17", expected=3, found=4),
]


def test_every_error_has_the_one_root() -> None:
    found = [each for _, each in inspect.getmembers(exceptions, inspect.isclass)
             if each.__module__ == exceptions.__name__]  # fmt: skip
    assert len(found) > 10
    assert all(issubclass(each, MotiaError) for each in found)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_can_be_pickled_and_copied(error: MotiaError) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_invalid_input_says_what_is_wrong_where() -> None:
    error = InvalidInput("Step 'A'", {"items.0.price": ["too low", "too odd"], "": ["no"]})
    assert str(error) == "Step 'A' is invalid: items.0.price: too low too odd; no"
    assert error.errors == {"items.0.price": ["too low", "too odd"], "": ["no"]}
    assert isinstance(error, ValueError)


def test_an_unknown_step_names_the_nearest_one() -> None:
    error = UnknownStep("createtdo", iter(["ListTodos", "CreateTodo"]))
    assert "Did you mean 'CreateTodo'?" in str(error)
    assert isinstance(error, LookupError)


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("PSOT", ["GET", "POST"], " Did you mean 'POST'?"),
        ("bodyschema", ["bodySchema", "path"], " Did you mean 'bodySchema'?"),
        ("zzz", ["GET", "POST"], ""),
        ("", ["GET"], ""),
        ("x" * 100_000, ["GET"], ""),
        ("GET", [], ""),
    ],
)
def test_the_nearest_word_is_offered_if_it_is_near(
    word: str, known: list[str], expected: str
) -> None:
    assert did_you_mean(word, known) == expected
