"""Deaths: the message of a Step's `onDead`, kept in the transaction that makes its run dead."""

from __future__ import annotations

from django.utils import timezone

from motia_django import offspring
from motia_django.delivery import Delivery
from motia_django.offspring import Write
from motia_django.runs import Outcome, Run, Settlement, Status, settle


def written(run: Run, outcome: Outcome, delivery: Delivery, write: Write) -> Settlement | None:
    """Have `write` write what became of an attempt; of a death with what follows from it.

    Every run in the background that dies does so here, whoever finds it, but for those that are
    born dead.
    """
    if outcome.failed and _is_final(run, outcome, delivery):
        return offspring.dying(run, outcome, write)
    return write(outcome)


def _is_final(run: Run, outcome: Outcome, delivery: Delivery) -> bool:
    return settle(run, outcome, delivery, timezone.now()).status is Status.DEAD
