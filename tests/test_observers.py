"""What observers start when they are told of a run: its children, in its trace."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from motia_django import Dead, enqueue, invoke, signals, state
from motia_django.runs import Run, Status
from motia_django.steps import Step
from tests.factories import deliver, installed, listening, make_step, nothing, rows, work_off

pytestmark = pytest.mark.django_db


def failing(input: Any) -> None:
    raise Dead("no")


def hearing() -> Step:
    return make_step(nothing, {"type": "queue", "topic": "told"}, name="Hear")


@pytest.mark.parametrize("name", ["run_died", "run_finished"])
def test_a_message_of_an_observer_is_a_child_of_the_run_it_is_told_of(name: str) -> None:
    def observe(sender: str, run: Run, **kwargs: Any) -> None:
        if sender == "Work":
            enqueue("told", {"of": str(run.id)})

    with installed(make_step(failing), hearing()):
        with listening(getattr(signals, name), observe):
            enqueue("work")
            work_off()
    [dead], [child] = rows(step="Work"), rows(step="Hear")
    assert (child.parent_id, child.trace_id, child.depth) == (dead.id, dead.trace_id, 1)


def test_so_is_what_it_invokes_and_what_follows_from_its_changes_of_state() -> None:
    def observe(sender: str, **kwargs: Any) -> None:
        if sender == "Work":
            state.set("orders", "17", 1)
            invoke("Hear")

    watching = make_step(nothing, {"type": "state", "groupId": "orders"}, name="Watch")
    with installed(make_step(failing), hearing(), watching):
        with listening(signals.run_died, observe):
            enqueue("work")
            work_off()
    [dead] = rows(step="Work")
    assert [each.parent_id for each in rows(depth=1)] == [dead.id] * 2
    assert {each.trace_id for each in rows()} == {dead.trace_id}


def test_an_observer_of_an_invoked_run_acts_for_that_one_and_not_for_who_invokes() -> None:
    def observe(sender: str, **kwargs: Any) -> None:
        if sender == "Inner":
            enqueue("told")

    inner = make_step(nothing, {"type": "queue", "topic": "inner"}, name="Inner")
    outer = make_step(lambda input, ctx: ctx.invoke("Inner") or ctx.enqueue("inner"))
    with installed(outer, inner, hearing()):
        with listening(signals.run_finished, observe):
            [run_id] = enqueue("work")
            deliver([run_id])
    [invoked] = rows(trigger="invoke")
    [child] = rows(step="Hear")
    assert child.parent_id == invoked.id
    [later] = rows(step="Inner", trigger="queue")
    assert later.parent_id == UUID(run_id)


def test_an_observer_of_a_loop_is_heard_though_the_loop_is_at_its_end(settings: Any) -> None:
    """As a child what he starts would be dead at once, and he told of that, and so on."""
    settings.MOTIA = {"MAX_DEPTH": 2}

    def observe(sender: str, **kwargs: Any) -> None:
        enqueue("told", {"of": sender})

    again = make_step(lambda input, ctx: ctx.enqueue("work"), enqueues=["work"])
    with installed(again, hearing()):
        with listening(signals.run_died, observe):
            enqueue("work")
            work_off()
    [alarm] = rows(step="Hear")
    assert (alarm.status, alarm.depth, alarm.parent_id) == (Status.SUCCEEDED, 0, None)
    assert alarm.trace_id != rows(step="Work")[0].trace_id
