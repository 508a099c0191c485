"""The waterfall: waiting apart from working, each attempt of its own, whatever the clocks say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motia_django import models
from motia_django.admin.attempts import Attempt, attempts_of, redriven_at
from motia_django.admin.waterfall import axis_of, in_words, spans_of
from motia_django.runs import Status

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else NOON + timedelta(seconds=seconds)


def run(**values: Any) -> models.Run:
    """Return a run that was born at noon; its times are given in seconds after that."""
    usual: dict[str, Any] = {"status": "succeeded", "attempt": 1, "started_at": 2, "finished_at": 3}
    given = {"created_at": 0, **usual, **values}
    times = {name: at(given.pop(name)) for name in ("created_at", "started_at", "finished_at")}
    return models.Run(**given, **times)


def failed(number: int, began: float, ended: float, error: str = "E") -> dict[str, Any]:
    times = {"began": at(began).isoformat(), "ended": at(ended).isoformat()}  # type: ignore[union-attr]
    return {"at": 1, "kind": "attempt", "attempt": number, **times, "error": error}


def snoozed(number: int, *calls: tuple[float, float], until: float = 50) -> dict[str, Any]:
    """Return the entry of calls that began, and lasted, for so many seconds."""
    entry = {"at": 1, "kind": "snoozed", "attempt": number, "times": len(calls), "reason": "later"}
    times = [[at(began).isoformat(), took] for began, took in calls]  # type: ignore[union-attr]
    until_told = at(until).isoformat()  # type: ignore[union-attr]
    return {**entry, "calls": times, "until": until_told}


def woken(seconds: float) -> dict[str, Any]:
    return {"at": None, "kind": "woken", "time": at(seconds).isoformat()}  # type: ignore[union-attr]


def life(row: models.Run, timeline: Any = None, now: float = 100) -> list[tuple[str, float, float]]:
    """Return each stretch of a run's life, from when to when in seconds after noon."""
    moment = NOON + timedelta(seconds=now)
    spans = spans_of(row, attempts_of(row, timeline), moment, redriven_at(timeline))
    return [
        (each.kind, (each.begins - NOON).total_seconds(), (each.ends - NOON).total_seconds())
        for each in spans
    ]


def test_waiting_is_told_apart_from_working() -> None:
    assert life(run()) == [("waited", 0, 2), ("succeeded", 2, 3)]


def test_each_attempt_that_failed_is_there_and_the_wait_for_the_next() -> None:
    timeline = [failed(1, 2, 3), failed(2, 10, 11)]
    row = run(attempt=3, started_at=30, finished_at=31)
    assert life(row, timeline) == [
        ("waited", 0, 2),
        ("failed", 2, 3),
        ("backoff", 3, 10),
        ("failed", 10, 11),
        ("backoff", 11, 30),
        ("succeeded", 30, 31),
    ]


def test_what_goes_on_goes_on_until_now() -> None:
    assert life(run(status="running", finished_at=None)) == [("waited", 0, 2), ("running", 2, 100)]
    waiting = run(status="queued", attempt=0, started_at=None, finished_at=None)
    assert life(waiting) == [("waited", 0, 100)]
    in_backoff = run(status="scheduled", attempt=1)
    assert life(in_backoff, [failed(1, 2, 3)]) == [
        ("waited", 0, 2),
        ("failed", 2, 3),
        ("backoff", 3, 100),
    ]


def test_what_was_cancelled_waited_until_then() -> None:
    row = run(status="cancelled", attempt=0, started_at=None, finished_at=5)
    assert life(row) == [("waited", 0, 5)]


def test_a_redriven_run_counts_anew_and_keeps_its_first_attempts() -> None:
    redriven = {"at": None, "kind": "redriven", "by": "me", "time": at(15).isoformat()}  # type: ignore[union-attr]
    timeline = [failed(1, 2, 3, "first"), redriven, failed(1, 20, 21, "second")]
    row = run(status="dead", attempt=1, started_at=20, finished_at=21, error="second")
    assert [each.error for each in attempts_of(row, timeline)] == ["first", "second"]
    assert [each.turn for each in attempts_of(row, timeline)] == [0, 1]
    assert life(row, timeline)[1:] == [("failed", 2, 3), ("waited", 15, 20), ("failed", 20, 21)]
    again = run(status="queued", attempt=0, started_at=None, finished_at=None)
    assert life(again, timeline[:2])[1:] == [("failed", 2, 3), ("waited", 15, 100)]
    assert life(again, [failed(1, 2, 3), {"kind": "redriven"}])[2] == ("backoff", 3, 100)


def test_attempts_of_which_only_the_errors_were_noted_are_told_without_their_times() -> None:
    error = {"at": 1, "kind": "error", "message": "KeyError: 1", "traceback": "Traceback"}
    timeline = [{**error, "attempt": 1}, {**error, "attempt": 2}]
    first, last = attempts_of(run(status="dead", attempt=2, error="KeyError: 1"), timeline)
    assert (first.began, first.error, first.traceback) == (None, "KeyError: 1", "Traceback")
    assert (last.began, last.error) == (at(2), "KeyError: 1")


@pytest.mark.parametrize(
    "timeline",
    [
        None, {}, "x", [None, 3, {}], [{"kind": "redriven"}, {"kind": "moved", "time": []}],
        [{"kind": "attempt"}], [{"kind": "attempt", "attempt": "x"}],
        [{"kind": "attempt", "attempt": 1, "began": "x", "ended": []}],
        [{"kind": "attempt", "attempt": 1, "began": "2026-13-45T00:00", "ended": None}],
        [{"kind": "attempt", "attempt": 1, "began": "2026-11-28T12:00:00", "ended": 7}],
        [{"kind": "snoozed", "attempt": 1, "calls": "x"}, {"kind": "woken", "time": 7}],
        [{"kind": "snoozed", "attempt": 1, "calls": [7, ["x", 1], ["9998-12-31T12:00:00Z", 1e9]]}],
        [{"kind": "snoozed", "attempt": 1, "times": "x", "worked": [], "calls": [[NOON, 1], [1]]}],
        [{"kind": "snoozed", "attempt": 1, "times": 9, "worked": "x", "calls": [[NOON, -1]]}],
    ],
)  # fmt: skip
def test_a_timeline_of_any_shape_is_read(timeline: Any) -> None:
    dead = run(status="dead")
    spans = spans_of(dead, attempts_of(dead, timeline), NOON, redriven_at(timeline))
    assert in_words(spans)


def test_each_call_that_was_snoozed_is_told_and_how_long_the_snoozes_were() -> None:
    timeline = [snoozed(1, (2, 1), (10, 1), until=20)]
    assert life(run(started_at=22, finished_at=24), timeline) == [
        ("waited", 0, 2), ("called", 2, 3), ("snoozed", 3, 10), ("called", 10, 11),
        ("snoozed", 11, 20), ("waited", 20, 22), ("succeeded", 22, 24),
    ]  # fmt: skip


def test_a_snooze_is_over_when_the_run_is_woken() -> None:
    row = run(started_at=9, finished_at=10)
    assert life(row, [snoozed(1, (2, 1)), woken(7)]) == [
        ("waited", 0, 2), ("called", 2, 3), ("snoozed", 3, 7), ("waited", 7, 9),
        ("succeeded", 9, 10),
    ]  # fmt: skip
    ahead = {"at": None, "kind": "woken", "ahead": True}
    assert life(row, [snoozed(1, (2, 1)), ahead])[2:4] == [("snoozed", 3, 9), ("succeeded", 9, 10)]


@pytest.mark.parametrize(
    ("status", "timeline", "last"),
    [
        ("scheduled", [snoozed(1, (2, 1), until=200)], [("snoozed", 3, 100)]),
        ("queued", [snoozed(1, (2, 1), until=50)], [("snoozed", 3, 50), ("waited", 50, 100)]),
        ("queued", [snoozed(1, (2, 1)), woken(40)], [("snoozed", 3, 40), ("waited", 40, 100)]),
        ("cancelled", [snoozed(1, (2, 1))], []),
    ],
)
def test_a_run_that_is_snoozed_goes_on_being_so(status: str, timeline: Any, last: Any) -> None:
    row = run(status=status, attempt=0, started_at=None, finished_at=None)
    assert life(row, timeline) == [("waited", 0, 2), ("called", 2, 3), *last]


def test_snoozes_and_failures_of_one_run_are_told_in_their_order() -> None:
    timeline = [snoozed(1, (2, 1), until=5), failed(1, 5, 6), snoozed(2, (8, 1), until=11)]
    row = run(status="dead", attempt=2, started_at=11, finished_at=12, error="E")
    whole = [*timeline, failed(2, 11, 12)]
    assert life(row, whole) == [
        ("waited", 0, 2), ("called", 2, 3), ("snoozed", 3, 5), ("failed", 5, 6), ("backoff", 6, 8),
        ("called", 8, 9), ("snoozed", 9, 11), ("failed", 11, 12),
    ]  # fmt: skip
    told = in_words(spans_of(row, attempts_of(row, whole), NOON))
    assert "attempt 2: asked to go on later, 1 s; snoozed 2 s; attempt 2: failed, 1 s" in told


moments = st.floats(min_value=-1000, max_value=1000)


@given(moments, st.none() | moments, st.none() | moments, st.sampled_from(list(Status)), moments)
def test_clocks_that_disagree_break_nothing(
    created: float, started: float | None, finished: float | None, status: Status, now: float
) -> None:
    row = run(created_at=created, started_at=started, finished_at=finished, status=status)
    timeline = [failed(1, created, now), failed(2, now, created)]
    spans = spans_of(row, attempts_of(row, timeline), NOON + timedelta(seconds=now))
    assert all(span.begins <= span.ends for span in spans)
    axis = axis_of(spans)
    if axis is None:
        return
    for mark in axis.marks(spans):
        begins, width, ends = (float(each[:-1]) for each in (mark.x, mark.width, mark.end))
        assert 0 <= begins <= ends <= 100
        assert width >= 0
    assert len(axis.ticks()) <= 12


def test_a_trace_that_took_no_time_has_an_axis() -> None:
    spans = spans_of(run(started_at=0, finished_at=0), attempts_of(run(started_at=0)), NOON)
    axis = axis_of(spans)
    assert axis is not None
    assert axis.ticks()[0].told == "0"
    assert axis_of([]) is None


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.004, ["0", "1 ms", "2 ms", "3 ms"]),
        (17.8, ["0", "5 s", "10 s", "15 s"]),
        (57, ["0", "15 s", "30 s", "45 s"]),
        (3600, ["0", "15 min", "30 min", "45 min"]),
        (86400 * 40, ["0", "10 d 0 h", "20 d 0 h", "30 d 0 h"]),
    ],
)
def test_the_axis_has_round_times(seconds: float, told: list[str]) -> None:
    row = run(started_at=0, finished_at=seconds)
    axis = axis_of(spans_of(row, attempts_of(row), NOON))
    assert axis is not None
    assert [tick.told for tick in axis.ticks()] == told


def test_the_stretches_are_told_in_words() -> None:
    row = run(attempt=2, started_at=10, finished_at=11)
    told = in_words(spans_of(row, attempts_of(row, [failed(1, 2, 3)]), NOON))
    assert told == (
        "waited 2 s; attempt 1: failed, 1 s; 7 s to the next try; attempt 2: succeeded, 1 s"
    )
    assert in_words([]) == "nothing is known of its times"


def test_an_attempt_of_unknown_times_is_left_out() -> None:
    assert spans_of(run(), [Attempt(number=1)], NOON)[0].kind == "waited"
