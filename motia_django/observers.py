"""Telling observers what happens to runs, by our signals: what they do then the run has caused."""

from __future__ import annotations

from typing import Any

from django.dispatch import Signal

from motia_django import tracing
from motia_django.runs import Run


def tell(signal: Signal, run: Run, **facts: Any) -> None:
    """Send a signal of a run to all who listen; what they raise is logged.

    Messages that they send, and whatever else they start, are children of the run.
    """
    if signal.receivers:
        with tracing.caused_by(run.as_cause()):
            signal.send_robust(run.step, run=run, **facts)


def tell_of_loop(signal: Signal, run: Run, **facts: Any) -> None:
    """Send a signal of a run that was born dead, since too many had caused one another.

    What observers start begins anew: as its child it would be one more.
    """
    with tracing.caused_by(None):
        signal.send_robust(run.step, run=run, **facts)
