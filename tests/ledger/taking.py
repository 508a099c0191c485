"""Beginning and ending attempts by hand, as a worker does it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from motia_django import ledger, runner
from motia_django.runs import Outcome, Run, Settlement, Status


def begin(run_id: str | UUID) -> Run | None:
    """Claim a run as its Step's worker does."""
    run = ledger.find(UUID(str(run_id)))
    assert run is not None
    return ledger.claim(
        run.id,
        worker="here",
        lease=timedelta(seconds=60),
        delivery_of=runner.delivery_of,
    )


def end(run: Run | None, *, failed: bool = False) -> Settlement:
    """Finish an attempt, well or not."""
    assert run is not None
    now = timezone.now()
    outcome = Outcome(
        status=Status.DEAD if failed else Status.SUCCEEDED,
        error=RuntimeError("it went wrong") if failed else None,
        started_at=now,
        finished_at=now,
    )
    settlement = runner.conclude(run, outcome)
    assert settlement is not None
    return settlement
