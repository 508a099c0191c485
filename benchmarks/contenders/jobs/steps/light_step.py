"""The job as a Step of which only failures are kept."""

from __future__ import annotations

from typing import Any

from benchmarks.contenders.jobs import marks

config = {
    "name": "Light",
    "triggers": [{"type": "queue", "topic": "jobs.light"}],
    "record": "failures",
}


def handler(sent: Any) -> None:
    """Note the call."""
    marks.note(sent)
