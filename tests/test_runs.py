"""Run and Outcome: ids, statuses, and the legal moves between them."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motia_django.delivery import LONGEST_BACKOFF, Delivery
from motia_django.runs import (
    MOVES,
    Outcome,
    Run,
    Status,
    birth_of,
    last_line,
    lowest_id_at,
    new_run_id,
    settle,
    summary_of,
    traceback_of,
)
from tests.test_delivery import DELIVERIES

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
RUNS = st.builds(
    Run,
    id=st.just(uuid.UUID(int=1)),
    step=st.just("A"),
    trigger=st.just("queue"),
    trace_id=st.just("0" * 32),
    status=st.just(Status.RUNNING),
    attempt=st.integers(1, 100),
    created_at=st.just(NOW),
    tried_since=st.none() | st.integers(0, 2 * 10**6).map(lambda ago: NOW - timedelta(seconds=ago)),
)
OUTCOMES = st.builds(
    Outcome,
    status=st.sampled_from([Status.SUCCEEDED, Status.SKIPPED, Status.DEAD, Status.SCHEDULED]),
    error=st.none() | st.just(ValueError("no")),
    rejected=st.booleans(),
    started_at=st.just(NOW),
    finished_at=st.just(NOW),
)


def outcome(**values: Any) -> Outcome:
    """Return an outcome."""
    return Outcome(**{"started_at": NOW, "finished_at": NOW, **values})


@given(RUNS, OUTCOMES, DELIVERIES)
def test_what_follows_an_attempt_is_always_a_legal_move(
    run: Run, result: Outcome, delivery: Delivery
) -> None:
    settlement = settle(run, result, delivery, NOW)
    assert settlement.status in MOVES[Status.RUNNING]
    assert (settlement.wake_at is None) is settlement.status.final
    if settlement.wake_at:
        assert NOW <= settlement.wake_at <= NOW + LONGEST_BACKOFF


@given(RUNS, OUTCOMES, DELIVERIES)
def test_only_a_failure_that_was_not_rejected_is_tried_again_and_only_while_tries_are_left(
    run: Run, result: Outcome, delivery: Delivery
) -> None:
    settlement = settle(run, result, delivery, NOW)
    left = run.attempt <= delivery.max_retries
    if delivery.retry_for is not None:
        left = NOW - (run.tried_since or NOW) < timedelta(seconds=delivery.retry_for)
    again = result.failed and not result.rejected and left
    assert (settlement.status is Status.SCHEDULED) is (again or result.snoozed)
    if not result.failed:
        assert settlement.status is result.status


def test_from_a_final_status_only_a_dead_run_comes_back() -> None:
    assert set(MOVES) == set(Status)
    for status, moves in MOVES.items():
        assert status not in moves
        assert status.final is not bool(moves) or status is Status.DEAD
    assert MOVES[Status.DEAD] == {Status.QUEUED, Status.CANCELLED}


def test_every_status_can_be_reached() -> None:
    assert set().union(*MOVES.values()) == set(Status)


@given(RUNS, st.none() | st.uuids(), st.none() | st.just(f"{7:016x}-01"))
def test_a_light_run_is_read_from_its_message_as_it_was_sent(
    run: Run, parent: uuid.UUID | None, span: str | None
) -> None:
    sent = replace(run, index=2, source="work", input=[1], depth=3, attempt=0, light=True)
    sent = replace(sent, status=Status.QUEUED, parent_id=parent, parent_span=span, tried_since=None)
    read = Run.from_message(str(sent.id), sent.to_message())
    assert read == replace(sent, status=Status.RUNNING, attempt=1)


@given(OUTCOMES)
def test_an_outcome_with_another_value_is_the_same_but_for_that(result: Outcome) -> None:
    result = replace(result, timeline=({"at": 0.1, "kind": "note"},))
    assert result.with_value(7) == replace(result, value=7)


def test_new_ids_are_uuids_of_version_7() -> None:
    ids = [new_run_id() for _ in range(2000)]
    assert len(set(ids)) == len(ids)
    assert {(each.version, each.variant) for each in ids} == {(7, uuid.RFC_4122)}


def test_new_ids_tell_when_they_were_made_and_later_ones_sort_later() -> None:
    before = time.time_ns() // 1_000_000
    first = new_run_id()
    time.sleep(0.003)
    second = new_run_id()
    after = time.time_ns() // 1_000_000
    assert before <= first.int >> 80 < second.int >> 80 <= after
    assert first < second
    assert str(first) < str(second)


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no str")


@pytest.mark.parametrize(
    ("error", "summary"),
    [
        (KeyError("orderId"), "KeyError: 'orderId'"),
        (ValueError("one\ntwo"), "ValueError: one"),
        (ValueError("\n  \n one "), "ValueError: one"),
        (ValueError(), "ValueError"),
        (ValueError("  "), "ValueError"),
        (ValueError("a\x00b\ud800"), "ValueError: a\\x00b\\ud800"),
    ],
)
def test_an_error_is_summed_up_in_one_line(error: Exception, summary: str) -> None:
    assert summary_of(error) == summary
    assert outcome(status=Status.DEAD, error=error).summary == summary


def test_a_summary_is_never_long_and_never_fails() -> None:
    assert len(summary_of(ValueError("x" * 100_000))) == 1000
    assert summary_of(Mute()).startswith("Mute")


def test_an_error_that_was_the_answer_needs_no_summary() -> None:
    assert outcome(status=Status.SUCCEEDED, error=ValueError("404")).summary == ""
    assert outcome(status=Status.DEAD).summary == ""


def test_a_traceback_is_what_python_prints_with_its_cause() -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error
    except ValueError as error:
        text = traceback_of(error)
    assert text.startswith("Traceback (most recent call last)")
    assert "KeyError: 'first'" in text
    assert text.rstrip().endswith("ValueError: second")
    assert "test_runs.py" in text


@given(st.text(st.characters(exclude_categories=[])))
def test_the_text_of_an_error_can_be_stored_whatever_it_holds(text: str) -> None:
    for stored in (summary_of(ValueError(text)), traceback_of(ValueError(text))):
        stored.encode()
        assert "\x00" not in stored


def test_the_backoff_of_a_failed_attempt_is_that_of_its_number() -> None:
    delivery = Delivery(backoff_delay_ms=1000)
    run = Run(id=new_run_id(), step="A", trigger="queue", trace_id="", attempt=3, created_at=NOW)
    wake_at = settle(run, outcome(status=Status.DEAD), delivery, NOW).wake_at
    assert wake_at is not None
    assert timedelta(seconds=3.2) <= wake_at - NOW <= timedelta(seconds=4.8)


def test_the_line_of_a_traceback_that_names_its_exception_is_found() -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second\n  and more") from error
    except ValueError as error:
        text = traceback_of(error)
    assert last_line(text) == "ValueError: second"
    assert last_line("WorkerLost: gone\n") == "WorkerLost: gone"
    assert last_line("Traceback (most recent call last):\n  File 1\n  File 2\n") == "File 2"
    assert last_line(" \n") == ""


def test_an_id_tells_when_its_run_was_born() -> None:
    before = datetime.now(UTC)
    run_id = new_run_id()
    after = datetime.now(UTC)
    microsecond = timedelta(microseconds=1)
    assert before - microsecond <= birth_of(run_id) <= after + microsecond
    assert lowest_id_at(before) <= run_id < lowest_id_at(after + timedelta(milliseconds=1))
    assert birth_of(lowest_id_at(NOW)) == NOW
