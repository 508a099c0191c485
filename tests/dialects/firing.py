"""Firing the triggers of a project's Steps, as their own doors do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from motia_django import dispatch, enqueue
from motia_django.registry import registry
from motia_django.runs import Status
from tests.factories import row, rows, work_off


def sent(topic: str, data: Any = None) -> None:
    """Send a message, and have it worked off with all that it causes; no run may fail."""
    enqueue({"topic": topic, "data": data})
    all_went_well()


def ticked(step: str) -> None:
    """Let a Step's first cron trigger be due once; no run may fail."""
    [(index, _), *_] = registry().step(step).triggers_of("cron")
    run_id = dispatch.tick(step, index, datetime(2030, 1, 1, tzinfo=UTC))
    assert run_id is not None
    all_went_well()
    assert row(run_id).status == Status.SUCCEEDED


def all_went_well() -> None:
    """Have all that is queued worked off; no run may fail."""
    work_off()
    failed = [f"{each.step}: {each.error}" for each in rows(status=Status.DEAD)]
    assert not failed, failed
    assert not rows(status=Status.SCHEDULED), [each.timeline for each in rows(status="scheduled")]
