"""Runs as tests read them: what started each, what became of it, and what happened in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from motia_django import ledger, models
from motia_django.registry import registry
from motia_django.runs import INVOKE, Outcome, Run, Status, in_one_line
from motia_django.timeline import UNDONE, Entry, in_words, joined
from motia_django.web.responses import told

_TOLD_OTHERWISE = ("attempt", "error")
"""The entries of a timeline that tell of failures."""


class Log(NamedTuple):
    """A line that a Step has logged."""

    level: str
    """`debug`, `info`, `warning` or `error`."""
    message: str
    fields: dict[str, Any]
    step: str


def _known(run: Run | models.Run) -> dict[str, Any]:
    """Return what a run and its row have in common."""
    return {
        "id": str(run.id),
        "step": run.step,
        "trigger": run.trigger,
        "source": run.source,
        "attempt": run.attempt,
        "input": run.input,
        "trace_id": run.trace_id,
        "parent_id": str(run.parent_id) if run.parent_id else None,
        "created_at": run.created_at,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run as it is now, with secrets masked as the history has them."""

    id: str
    step: str
    trigger: str
    """What kind of trigger started it, or `invoke`."""
    source: str
    """The topic, `METHOD /path`, cron expression or `group/key` that did."""
    status: str
    """`scheduled`, `queued`, `running`, `succeeded`, `skipped`, `cancelled` or `dead`."""
    attempt: int
    """How many attempts there were."""
    input: Any
    output: Any
    """What the handler returned; of an http Step `{"status", "headers", "body"}`."""
    error: str
    """What the last attempt failed by, in one line such as `Dead: no card`, or an empty text."""
    timeline: tuple[Entry, ...]
    """What happened in it, entry by entry."""
    keys: tuple[str, ...] = ()
    """What it is found by, each as `orderId=17`."""
    trace_id: str
    parent_id: str | None
    """The run that caused it."""
    created_at: datetime

    @classmethod
    def of_row(cls, row: models.Run, keys: Iterable[str] = ()) -> Ran:
        """Return a run as the ledger has it, with its index keys."""
        return cls(
            **_known(row),
            status=str(row.status),
            output=row.output,
            error=in_one_line(row.error) if row.error else "",
            timeline=tuple(row.timeline or ()),
            keys=tuple(keys),
        )

    @classmethod
    def unrecorded(cls, run: Run, outcome: Outcome) -> Ran:
        """Return a run that went well and of which the history keeps only failures."""
        outcome = outcome.as_of_now()
        return cls(
            **_known(run),
            status=str(outcome.status),
            output=told(outcome.value),
            error=outcome.summary,
            timeline=tuple(joined(run.timeline, run.attempt, outcome.timeline)),
            keys=tuple(f"{name}={value}" for name, value in ledger.keys_of(run, outcome.keys)),
        )

    @property
    def failures(self) -> list[str]:
        """What each attempt that failed did so by, in one line."""
        noted = [str(each["error"]) for each in self.timeline if each["kind"] == "attempt"]
        return noted or ([self.error] if self.error else [])

    @property
    def logs(self) -> list[Log]:
        """What it has logged."""
        return [
            Log(each["level"], each["message"], each.get("fields") or {}, self.step)
            for each in self.timeline
            if each["kind"] == "log"
        ]

    @property
    def unheard(self) -> list[str]:
        """The topics that it sent messages to, and nobody listens on, but for what it declares."""
        sent = [each for each in self.timeline if each["kind"] == "enqueue" and UNDONE not in each]
        topics = dict.fromkeys(str(each["topic"]) for each in sent if not each["steps"])
        step = registry().step(self.step) if self.step in registry() else None
        return [each for each in topics if step is None or not step.says_it_sends(each)]

    @property
    def events(self) -> list[str]:
        """What happened in it, each in one line: logs, messages, state, streams, invocations."""
        own = (each for each in self.timeline if each["kind"] not in _TOLD_OTHERWISE)
        return [in_words({**each, "at": None}) for each in own]

    def __str__(self) -> str:
        """Say in one line what started which Step, and what became of it."""
        source = "" if self.trigger == INVOKE else f" {self.source}"
        status = self.output.get("status") if isinstance(self.output, dict) else None
        answer = f", {status}" if self.trigger == "http" and status else ""
        is_over = self.status in (Status.SUCCEEDED, Status.DEAD)
        tries = f" at attempt {self.attempt}" if is_over and self.attempt > 1 else ""
        return f"{self.step} by {self.trigger}{source}: {self.status}{tries}{answer}"

    def __repr__(self) -> str:
        return f"<{self}{f', {self.error}' if self.error else ''}>"


class OfStep(Protocol):
    """What belongs to a Step."""

    @property
    def step(self) -> str:
        """The Step's name."""


T = TypeVar("T", bound=OfStep)


class Told(list[T], Generic[T]):
    """A list of what Steps did, of which that of one Step is to be had."""

    def of(self, step: str) -> list[T]:
        """Return what belongs to this Step; raise `UnknownStep` if there is none."""
        name = registry().step(step).name
        return [each for each in self if each.step == name]


def all_ran(attempts: Iterable[tuple[Run, Outcome]]) -> Told[Ran]:
    """Return all runs that there are, and those of these attempts that are kept nowhere."""
    rows = list(ledger.rows())
    keys = ledger.keys_of_runs(row.id for row in rows)
    kept = [Ran.of_row(row, keys.get(row.id, ())) for row in rows]
    there = {each.id for each in kept}
    light = {
        str(run.id): Ran.unrecorded(run, outcome)
        for run, outcome in attempts
        if str(run.id) not in there and (run.light or not _keeps_all(run.step))
    }
    return in_order([*kept, *light.values()])


def _keeps_all(step: str) -> bool:
    return step not in registry() or registry().step(step).keeps_all


def in_order(runs: Iterable[Ran]) -> Told[Ran]:
    """Return runs in the order of their birth."""
    return Told(sorted(runs, key=lambda each: (each.created_at, each.id)))
