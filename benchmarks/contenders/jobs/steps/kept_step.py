"""The job as a Step whose runs are all kept."""

from __future__ import annotations

from typing import Any

from benchmarks.contenders.jobs import marks

config = {"name": "Kept", "triggers": [{"type": "queue", "topic": "jobs.kept"}]}


def handler(sent: Any) -> None:
    """Note the call."""
    marks.note(sent)
