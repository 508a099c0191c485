"""The ledger as a machine: whatever is done in whatever order, its laws hold."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from motia_django import enqueue, ledger, models, operations, runner
from motia_django.exceptions import CannotIntervene
from motia_django.runs import MOVES, Run, Status
from tests.factories import installed, make_step, nothing
from tests.ledger.taking import begin, end

pytestmark = pytest.mark.django_db

LIMIT = 2
GROUPS = st.sampled_from(["a", "b", "c"])
INTERVENTIONS = [operations.cancel, operations.redrive, operations.discard]
FIFO = {
    "type": "queue",
    "topic": "work",
    "config": {"type": "fifo", "concurrency": LIMIT, "maxRetries": 2, "backoffDelayMs": 0},
}


class Ledger(RuleBasedStateMachine):
    """Messages of some groups, workers that finish, fail, die and wake up, and operators."""

    @initialize()
    def begin_anew(self) -> None:
        self._step = installed(make_step(nothing, FIFO))
        self._step.__enter__()
        self._transaction = transaction.atomic()
        self._transaction.__enter__()
        self._statuses: dict[str, str] = {}
        self._groups: dict[str, str] = {}
        self._begun: list[str] = []
        self._held: list[Run] = []
        self._frozen: list[Run] = []
        for group in "aaabbc":
            self.send(group)

    def teardown(self) -> None:
        if hasattr(self, "_transaction"):
            transaction.set_rollback(True)
            self._transaction.__exit__(None, None, None)
            self._step.__exit__(None, None, None)

    @rule(group=GROUPS)
    def send(self, group: str) -> None:
        [run_id] = enqueue({"topic": "work", "messageGroupId": group})
        self._groups[run_id] = group

    @rule(data=st.data())
    @precondition(lambda self: self._groups)
    def deliver(self, data: Any) -> None:
        run_id = self._any(data)
        run = begin(run_id)
        if run is not None:
            if run_id not in self._begun:
                self._begun.append(run_id)
            self._held.append(run)

    @rule(data=st.data(), failed=st.booleans())
    @precondition(lambda self: self._held)
    def finish(self, data: Any, failed: bool) -> None:
        end(self._taken(data, self._held), failed=failed)

    @rule(data=st.data())
    @precondition(lambda self: self._held)
    def freeze_past_the_lease(self, data: Any) -> None:
        run = self._taken(data, self._held)
        models.Run.objects.filter(id=run.id).update(wake_at=timezone.now())
        self._frozen.append(run)
        [lost] = ledger.take_lost(10)
        assert runner.conclude(lost, ledger.lost_outcome(lost)) is not None

    @rule(data=st.data(), failed=st.booleans())
    @precondition(lambda self: self._frozen)
    def thaw(self, data: Any, failed: bool) -> None:
        run = self._taken(data, self._frozen)
        assert not ledger.holds(run)
        assert not ledger.renew(run, lease=ledger.patience(0))
        with pytest.raises(AssertionError):
            end(run, failed=failed)

    @rule()
    def let_what_is_scheduled_come_due(self) -> None:
        models.Run.objects.filter(status=Status.SCHEDULED).update(wake_at=timezone.now())
        ledger.take_due(100)

    @rule(data=st.data())
    @precondition(lambda self: self._groups)
    def intervene(self, data: Any) -> None:
        run_id = self._any(data)
        act = data.draw(st.sampled_from(INTERVENTIONS))
        try:
            act(UUID(run_id), by="the test")
        except CannotIntervene:
            return
        if act is operations.redrive:
            self._begun.remove(run_id)
            self._groups[run_id] = "redriven"

    @invariant()
    def each_status_follows_from_the_one_before(self) -> None:
        for row in self._rows():
            before = self._statuses.get(str(row.id))
            if before not in (None, row.status):
                assert Status(row.status) in reachable(Status(before))
            self._statuses[str(row.id)] = row.status

    @invariant()
    def no_more_run_at_once_than_the_limit_allows(self) -> None:
        running = [row for row in self._rows() if row.status == Status.RUNNING]
        assert len(running) <= LIMIT
        groups = [row.message_group for row in running]
        assert len(set(groups)) == len(groups)

    @invariant()
    def each_group_is_begun_in_its_order(self) -> None:
        unfinished = {str(row.id) for row in self._rows() if not Status(row.status).final}
        for group in ("a", "b", "c"):
            mine = [run_id for run_id in self._begun if self._groups[run_id] == group]
            assert mine == sorted(mine)
            waiting = (each for each in unfinished - set(mine) if self._groups[each] == group)
            assert not mine or all(each > mine[-1] for each in waiting)

    @invariant()
    def only_the_unfinished_have_a_turn(self) -> None:
        waiting = {row.id for row in self._rows() if not Status(row.status).final}
        assert set(models.Turn.objects.values_list("run_id", flat=True)) == waiting

    @invariant()
    def somebody_can_always_go_on(self) -> None:
        """Unless all that is unfinished runs, or waits for its time, somebody is next."""
        queued = [row for row in self._rows() if row.status == Status.QUEUED]
        unfinished = [row for row in self._rows() if not Status(row.status).final]
        if queued and len(queued) == len(unfinished):
            ids = [row.id for row in queued]
            with transaction.atomic():
                ledger.recall(ids)
                [turn, *_] = ledger.turns_of(ids).values()
                assert ledger.call_up([(turn, LIMIT)])
                transaction.set_rollback(True)

    def _any(self, data: Any) -> str:
        ids: list[str] = [*sorted(self._groups)]
        return ids[int(data.draw(st.integers(0, len(ids) - 1)))]

    def _taken(self, data: Any, runs: list[Run]) -> Run:
        return runs.pop(data.draw(st.integers(0, len(runs) - 1)))

    def _rows(self) -> list[models.Run]:
        return list(models.Run.objects.all()) if hasattr(self, "_groups") else []


def reachable(status: Status) -> set[Status]:
    """Return where one step of the machine may lead, as one call may make several moves."""
    found, new = set(MOVES[status]), set(MOVES[status])
    while new:
        new = set().union(*(MOVES[each] for each in new)) - found
        found |= new
    return found if status is not Status.SUCCEEDED else set()


def test_its_laws_hold_whatever_is_done() -> None:
    settings = hypothesis_settings(max_examples=20, stateful_step_count=30)
    run_state_machine_as_test(Ledger, settings=settings)
