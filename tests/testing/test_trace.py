"""The tree of what ran: drawn and told the same each time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from motia_django.testing import Ran, Trace
from motia_django.testing.stable import Stable

BEGIN = datetime(2026, 3, 1)


def ran(number: int, parent: int | None = None, **values: Any) -> Ran:
    """Return a run, the later born the higher its number."""
    defaults: dict[str, Any] = {
        "id": str(UUID(int=number)),
        "step": f"Step{number}",
        "trigger": "queue",
        "source": "work",
        "status": "succeeded",
        "attempt": 1,
        "input": None,
        "output": None,
        "error": "",
        "timeline": (),
        "trace_id": "0" * 32,
        "parent_id": None if parent is None else str(UUID(int=parent)),
        "created_at": BEGIN + timedelta(seconds=number),
    }
    return Ran(**{**defaults, **values})


def test_each_run_stands_below_the_one_that_caused_it_in_the_order_of_birth() -> None:
    trace = Trace([ran(5, 2), ran(4, 1), ran(1), ran(3, 2), ran(2, 1), ran(6), ran(7, 99)])
    assert str(trace).splitlines() == [
        "Step1 by queue work: succeeded",
        "├─ Step2 by queue work: succeeded",
        "│  ├─ Step3 by queue work: succeeded",
        "│  └─ Step5 by queue work: succeeded",
        "└─ Step4 by queue work: succeeded",
        "Step6 by queue work: succeeded",
        "Step7 by queue work: succeeded",
    ]
    assert [run.step for run in trace] == [f"Step{n}" for n in range(1, 8)]


def test_failures_and_events_stand_beside_the_branch() -> None:
    timeline = (
        {"at": 0.1, "kind": "log", "level": "info", "message": "Trying", "attempt": 1},
        {"at": 0.2, "kind": "error", "message": "ValueError: no", "traceback": "..."},
        {"at": 0.3, "kind": "attempt", "error": "ValueError: no", "attempt": 1},
    )
    first = ran(1, timeline=timeline, attempt=2)
    trace = Trace([first, ran(2, 1, timeline=timeline, status="dead")])
    assert str(trace).splitlines() == [
        "Step1 by queue work: succeeded at attempt 2",
        "│  attempt 1: ValueError: no",
        "└─ Step2 by queue work: dead",
        "      attempt 1: ValueError: no",
    ]
    assert trace.in_full().splitlines()[1:3] == ["│  info: Trying", "│  attempt 1: ValueError: no"]


def test_as_plain_data_it_is_nested() -> None:
    [told] = Trace([ran(1), ran(2, 1)]).to_json()
    assert told == {
        "run": "Step1 by queue work: succeeded",
        "failures": [],
        "events": [],
        "causes": [
            {
                "run": "Step2 by queue work: succeeded",
                "failures": [],
                "events": [],
                "causes": [],
            }
        ],
    }


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ({"status": 201, "body": {}}, "Step1 by http POST /x: succeeded, 201"),
        (None, "Step1 by http POST /x: succeeded"),
        (["status"], "Step1 by http POST /x: succeeded"),
    ],
)
def test_a_request_is_told_with_its_answer(output: Any, line: str) -> None:
    assert str(ran(1, trigger="http", source="POST /x", output=output)) == line


def test_nothing_is_an_empty_tree() -> None:
    assert (str(Trace([])), Trace([]).to_json(), len(Trace([]))) == ("", [], 0)


@pytest.mark.parametrize(
    ("text", "stable"),
    [
        (
            "a 0190163d-8694-739b-aea5-966c26f8ad90 b 0190163D8694739BAEA5966C26F8AD90",
            "a <id 1> b <id 1>",
        ),
        (f"{UUID(int=1)} {UUID(int=2)} {UUID(int=1)}", "<id 1> <id 2> <id 1>"),
        ("at 2026-03-01T03:00:00.123456+01:00.", "at <time>."),
        ("2026-03-01 03:00 and 2026-03-01T03:00:00Z", "<time> and <time>"),
        ("order 17 of 2026-03-01, 1234567890", "order 17 of 2026-03-01, 1234567890"),
        ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",) * 2,
    ],
)
def test_ids_and_times_are_replaced_and_nothing_else(text: str, stable: str) -> None:
    assert Stable().text(text) == stable
