"""The timeline: bounded, masked, in order, and it never fails the run it tells of."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from motia_django import payloads
from motia_django.timeline import (
    Timeline,
    called_before,
    clock,
    gone_on,
    in_words,
    joined,
    snooze,
    snoozed,
    woken,
    woken_ahead,
)

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def test_entries_come_in_order_with_times_from_the_start() -> None:
    timeline = Timeline()
    timeline.add("log", message="first")
    time.sleep(0.02)
    timeline.add("state", operation="set")
    first, second = timeline.entries()
    assert (first["kind"], first["message"]) == ("log", "first")
    assert (second["kind"], second["operation"]) == ("state", "set")
    assert 0 <= first["at"] < 0.02 <= second["at"] < 5


@override_settings(MOTIA={"TIMELINE_ENTRIES": 3})
def test_past_the_bound_only_the_number_is_kept() -> None:
    timeline = Timeline()
    for number in range(10):
        timeline.add("log", number=number)
    *kept, last = timeline.entries()
    assert [each["number"] for each in kept] == [0, 1, 2]
    assert (last["kind"], last["count"]) == ("left_out", 7)


@override_settings(MOTIA={"TIMELINE_ENTRIES": 3})
def test_exactly_at_the_bound_nothing_is_left_out() -> None:
    timeline = Timeline()
    for number in range(3):
        timeline.add("log", number=number)
    assert [each["kind"] for each in timeline.entries()] == ["log"] * 3


def test_secrets_are_masked_at_any_depth_even_beside_what_is_not_json() -> None:
    timeline = Timeline()
    timeline.add("state", new={"user": {"password": "s3cret"}})
    timeline.add("log", fields={"apiKey": "s3cret", "socket": object()})
    timeline.add("log", fields={"deep": [{"token": "s3cret", "bad": math.nan}]})
    assert "s3cret" not in payloads.dumps(timeline.entries())


@override_settings(MOTIA={"REDACT": ["iban"]})
def test_the_words_to_mask_are_those_of_the_settings() -> None:
    timeline = Timeline()
    timeline.add("log", fields={"IBAN": "s3cret", "password": "visible"})
    text = payloads.dumps(timeline.entries())
    assert "s3cret" not in text
    assert "visible" in text


def test_whatever_is_noted_can_be_written_as_json() -> None:
    circle: list[Any] = []
    circle.append(circle)
    timeline = Timeline()
    for value in (object(), Unspeakable(), circle, math.nan, "\ud800", b"\xff", 10**5000, {1: {2}}):
        timeline.add("log", value=value)
    assert len(payloads.plain(timeline.entries())) == 8


def test_what_is_noted_is_what_was_then() -> None:
    timeline = Timeline()
    todo = {"title": "before"}
    timeline.add("state", new=todo)
    todo["title"] = "after"
    assert timeline.entries()[0]["new"] == {"title": "before"}


def test_the_list_of_entries_is_a_copy() -> None:
    timeline = Timeline()
    timeline.entries().append({"kind": "forged"})
    assert timeline.entries() == []


@given(st.integers(1, 20), st.lists(st.integers(0, 30), max_size=6))
def test_attempts_are_joined_within_the_bound_and_the_last_is_kept(
    entries: int, attempts: list[int]
) -> None:
    with override_settings(MOTIA={"TIMELINE_ENTRIES": entries}):
        whole: list[dict[str, Any]] = []
        everything: list[tuple[int, int]] = []
        for attempt, number in enumerate(attempts, start=1):
            later = [{"kind": "log", "number": each} for each in range(number)]
            whole = joined(whole, attempt, later)
            everything += [(attempt, each) for each in range(number)]
        kept = [(each["attempt"], each["number"]) for each in whole]
        assert kept == everything[-2 * entries :]


def test_joining_changes_neither_part() -> None:
    earlier, later = [{"attempt": 1, "kind": "log"}], [{"kind": "log"}]
    assert joined(earlier, 2, later) == [
        {"attempt": 1, "kind": "log"},
        {"attempt": 2, "kind": "log"},
    ]
    assert (len(earlier), later) == (1, [{"kind": "log"}])


def test_of_many_snoozes_it_is_kept_when_the_first_was_and_the_newest() -> None:
    whole: list[dict[str, Any]] = []
    for minute in range(50):
        began = NOON + timedelta(minutes=minute)
        note = snooze(began, began + timedelta(seconds=2), began + timedelta(minutes=1), "closed")
        whole = snoozed(gone_on(whole, began), 1, [{"at": 0.1, "kind": "log"}], note)
    [_, entry] = whole
    assert (entry["times"], entry["worked"], len(entry["calls"])) == (50, 100, 20)
    assert entry["calls"][0] == [NOON.isoformat(), 2]
    assert entry["calls"][1] == [(NOON + timedelta(minutes=31)).isoformat(), 2]
    assert entry["until"] == (NOON + timedelta(minutes=50)).isoformat()
    assert called_before(whole, 1) == (50, 100)
    assert called_before([*whole, {"kind": "redriven"}], 1) == (0, 0)


def test_the_end_of_a_snooze_is_told() -> None:
    until = NOON + timedelta(hours=1)
    entry = {**snooze(NOON, NOON, until, "closed"), "attempt": 1}
    [early] = gone_on([entry], NOON + timedelta(minutes=1))
    assert in_words({**early, "at": None}) == (
        "snoozed until 2026-11-28 13:00:00, but it went on at 2026-11-28 12:01:00: closed"
    )
    [due] = gone_on([entry], until)
    assert in_words({**due, "at": None}) == (
        "snoozed until 2026-11-28 13:00:00, when it was due: closed"
    )
    waker: dict[str, Any] = woken(step="Ship", run_id="r17")
    assert gone_on([entry, waker], until) == [entry, waker]
    at = clock(datetime.fromisoformat(waker["time"]))
    assert in_words(waker) == f"woken at {at} by Ship, run r17"
    assert in_words({**waker, "step": ""}) == f"woken at {at} by run r17"
    assert in_words({**woken(), "time": waker["time"]}) == f"woken at {at}"
    assert in_words(woken_ahead()) == "woken before it was snoozed"


def test_every_entry_can_be_put_into_words() -> None:
    timeline = Timeline()
    timeline.add("log", level="info", message="Todo processed", fields={"todoId": "17"})
    timeline.add("state", operation="set", group="todos", key="17")
    timeline.add("state", operation="set_many", group="todos", count=2)
    timeline.add("stream", operation="send", stream="alerts", group="red", item=None)
    timeline.add("enqueue", topic="todo.created", steps=["ProcessTodo"])
    timeline.add("enqueue", topic="nobody.hears", steps=[])
    timeline.add("enqueue", topic="todo.created", steps=["ProcessTodo"], run_id="r17")
    timeline.add("invoke", step="Pay", status="succeeded")
    timeline.add("whatever", x=1)
    lines = [in_words({**entry, "at": 0.012}) for entry in timeline.entries()]
    assert lines == [
        '+0.012 s  info: Todo processed {"todoId":"17"}',
        "+0.012 s  state set todos/17",
        "+0.012 s  state set_many todos: 2 items",
        "+0.012 s  stream alerts: send red",
        "+0.012 s  enqueue todo.created -> ProcessTodo",
        "+0.012 s  enqueue nobody.hears -> nobody",
        "+0.012 s  enqueue todo.created -> ProcessTodo: held by run r17 (dedupeKey)",
        "+0.012 s  invoke Pay: succeeded",
        '+0.012 s  whatever {"x":1}',
    ]


def test_what_was_undone_is_told_so_at_the_end_of_its_line() -> None:
    sent = {"at": 0.5, "kind": "enqueue", "topic": "t", "steps": ["A"], "undone": True}
    assert in_words(sent) == "+0.500 s  enqueue t -> A (undone)"
    assert in_words({"at": None, "kind": "x", "to": 1, "undone": True}) == 'x {"to":1} (undone)'


def test_what_operators_did_is_told_with_who_when_and_why() -> None:
    note = {"at": None, "kind": "discarded", "by": "ada", "time": "2026-11-22T19:00:00+00:00"}
    assert in_words(note) == "discarded by ada at 2026-11-22 19:00:00"
    moved = {"kind": "moved", "from": "Old", "to": "New", "attempts": 1, "input": "edited"}
    assert in_words({**note, **moved, "reason": "renamed"}) == (
        "moved from Old to New by ada at 2026-11-22 19:00:00, after 1 attempt,"
        " its input edited: renamed"
    )
    edited = {**note, **moved, "old": {"id": 1}, "reason": "renamed"}
    assert in_words(edited).endswith(', its input edited (it was {"id":1}): renamed')


def test_errors_notes_and_losses_are_told_by_their_message() -> None:
    error = {"at": 1.5, "kind": "error", "message": "ValueError: no", "traceback": "Traceback"}
    assert in_words(error) == "+1.500 s  error: ValueError: no"
    assert in_words({"at": None, "kind": "note", "message": "missed"}) == "note: missed"
    assert in_words({"at": 2, "kind": "left_out", "count": 7}).endswith(
        "7 more entries did not fit"
    )


def test_an_entry_without_a_time_can_be_put_into_words() -> None:
    assert in_words({"at": None, "kind": "worker_lost", "message": "m"}).startswith("worker_lost")
    snoozed = {"at": None, "kind": "snoozed", "times": 1, "until": "2026-11-22T19:00:00+00:00"}
    assert in_words({**snoozed, "reason": "not yet"}).startswith("snoozed until 2026-11-2")
    assert in_words({**snoozed, "times": 12, "reason": "not yet"}).startswith("snoozed 12 times, ")
    assert in_words({"kind": "snoozed"}) == "snoozed: None"
    assert in_words({"kind": "snoozed", "until": 7, "over": "x"}) == "snoozed: None"
    in_words({})
