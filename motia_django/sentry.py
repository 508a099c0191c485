"""Sentry, where a process has it: what it is told of a run is tagged with Step, run and trace.

What it is told is no concern of ours: a dead run by the error that the logger `motia.runs` writes,
a request's by Sentry's integration of Django. Each happens once.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from motia_django import signals, tracing

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

_MARK = "_motia_tags"
_joined = False


def watch() -> None:
    """Join Sentry if this process has it: asked at the start, and again when a run begins."""
    global _joined
    if _joined or sys.modules.get("sentry_sdk") is None:
        return
    from sentry_sdk.scope import add_global_event_processor

    _joined = True
    add_global_event_processor(_tagged)
    signals.run_finished.connect(_mark, dispatch_uid="motia.sentry")


def _mark(sender: str, **kwargs: Any) -> None:
    """Note on an error which run it ended: Django tells Sentry of a request's when that is over."""
    run, error = kwargs["run"], kwargs["outcome"].error
    if error is not None:
        error.__dict__[_MARK] = _tags(run.step, run.id, run.trace_id)


def _tagged(event: Event, hint: Hint) -> Event:
    """Tag an event with the run that it tells of: by its log record, by where it is, by its error.

    The runner logs of a run when that is over, and what a handler tells is told within.
    """
    record: Any = hint.get("log_record")
    scope = tracing.current()
    error = (hint.get("exc_info") or (None, None, None))[1]
    if getattr(record, "run_id", None):
        tags = _tags(record.step, record.run_id, record.trace_id)
    elif scope is not None:
        tags = _tags(scope.step, scope.run_id, scope.trace_id)
    else:
        tags = getattr(error, "__dict__", {}).get(_MARK, {})
    event.setdefault("tags", {}).update(tags)
    return event


def _tags(step: str, run_id: object, trace_id: str) -> dict[str, str]:
    return {"motia.step": step, "motia.run_id": str(run_id), "motia.trace_id": trace_id}
