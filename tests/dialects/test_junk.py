"""Configs that are wrong in every place: what is wrong is said, and nothing is raised."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from motia_django.dialects.declared import KNOWN
from motia_django.steps import read_step
from motia_django.stream_config import read_stream

JUNK: list[Any] = [
    5,
    "",
    "x",
    None,
    True,
    [],
    {},
    [5],
    [None],
    [[]],
    [{}],
    ["x", 5],
    {"a": 1},
    {5: 5},
    [{"topic": 5}],
    [{"type": []}],
    [{"type": "http", "path": "/x"}, 5],
    [{"type": "http", "path": "/x", "bodySchema": 5}, None],
    [{"type": "api", "path": 5, "method": [], "middleware": [5]}],
    [{"type": "event", "topic": [], "infrastructure": 5}],
    {"queue": 5, "handler": []},
    {"queue": {"maxRetries": "x"}},
    object(),
    lambda: None,
    int,
]
KINDS: list[dict[str, Any]] = [
    {"type": "api", "path": "/x", "method": "GET"},
    {"type": "event", "subscribes": ["x"]},
    {"type": "cron", "cron": "@daily"},
    {"type": "noop"},
    {"triggers": [{"type": "api", "path": "/x", "method": "GET"}], "emits": []},
    {"triggers": [{"type": "event", "topic": "x"}]},
    {"triggers": [{"type": "cron"}], "emits": []},
    {"triggers": [{"type": "http", "path": "/x"}]},
    {"triggers": [{"type": "queue", "topic": "x"}], "name": 5},
]
KEYS = sorted(KNOWN | {"name", "description", "virtualSubscribes", "body_schema", "unheard of"})


def handler(input: Any, ctx: Any) -> None:
    pass


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("key", KEYS)
def test_a_step_is_read_or_its_problems_are_told(kind: dict[str, Any], key: str) -> None:
    for value in JUNK:
        module = SimpleNamespace(config={"name": "x", **kind, key: value}, handler=handler)
        step, problems = read_step(module, Path(__file__), "tests")
        assert (step is None) == bool(problems), (value, problems)
        assert all(str(each) for each in problems)


@pytest.mark.parametrize("key", ["name", "schema", "baseConfig", "onJoin", "on_leave", "canAccess"])
def test_a_stream_is_read_or_its_problems_are_told(key: str) -> None:
    for value in JUNK:
        module = SimpleNamespace(config={"name": "x", key: value})
        stream, problems = read_stream(module, Path(__file__), "tests")
        assert (stream is None) == bool(problems), (value, problems)


@pytest.mark.parametrize("junk", JUNK)
def test_a_config_or_a_handler_may_be_anything(junk: Any) -> None:
    good = {"name": "x", "type": "api", "path": "/x", "method": "GET"}
    for config, function in ((junk, handler), (good, junk), (junk, junk)):
        module = SimpleNamespace(config=config, handler=function)
        step, problems = read_step(module, Path(__file__), "tests")
        assert (step is None) == bool(problems)


def test_middleware_that_is_no_function_is_an_error() -> None:
    config = {"name": "x", "type": "api", "path": "/x", "method": "GET", "middleware": [5]}
    step, problems = read_step(
        SimpleNamespace(config=config, handler=handler), Path(__file__), "tests"
    )
    assert step is None
    assert "functions of (req, ctx, next)" in str(problems[0])
