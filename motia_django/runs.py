"""Run and Outcome: one execution of one Step, its statuses and the legal moves between them."""

from __future__ import annotations

import os
import re
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from motia_django import moments, payloads, telemetry, tracebacks
from motia_django.delivery import Delivery, Turn
from motia_django.exceptions import Dead, Retry, Snooze
from motia_django.keys import Keys
from motia_django.payloads import plain_text
from motia_django.timeline import Entry, Timeline
from motia_django.tracing import Cause, Scope

_MODULE = re.compile(r"^(?:\w+\.)+(?=\w+(?::|$))")
"""Where an exception's class comes from."""
_CHAINED = (
    "Traceback (most recent",
    "The above exception was the direct cause",
    "During handling of the above exception",
)
"""How the lines begin after which Python tells of the next exception: one of ours has no other."""
_TEXT = "inputText"
_OF_KOMBU = '"__type__"'
"""A key of the dicts that kombu writes what JSON lacks as, and takes for that when it reads."""
_SAID_BESIDE = re.compile(r"(?<=^InvalidInput: )The input of Step '[^']*' is invalid: ")


class Status(StrEnum):
    """Where a run is in its life."""

    SCHEDULED = "scheduled"
    """It is to be queued when it is due."""
    QUEUED = "queued"
    """It waits for a worker."""
    RUNNING = "running"
    """A worker holds its lease."""
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    """Its trigger's condition was false, or it was a tick that came while another went on."""
    CANCELLED = "cancelled"
    DEAD = "dead"
    """Its attempts are spent, or its input can never be right."""

    @property
    def final(self) -> bool:
        """Whether nothing more happens by itself."""
        return self not in (Status.SCHEDULED, Status.QUEUED, Status.RUNNING)


UNFINISHED = tuple(each for each in Status if not each.final)
_FAILED = (Status.DEAD, Status.CANCELLED)

MOVES: dict[Status, frozenset[Status]] = {
    Status.SCHEDULED: frozenset({Status.QUEUED, Status.CANCELLED}),
    Status.QUEUED: frozenset({Status.RUNNING, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.SUCCEEDED, Status.SKIPPED, Status.SCHEDULED, Status.DEAD}),
    Status.SUCCEEDED: frozenset(),
    Status.SKIPPED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.DEAD: frozenset({Status.QUEUED, Status.CANCELLED}),
}
"""From each status, where a run may go next. A dead run comes back by redrive, or is discarded."""

INVOKE = "invoke"
"""The kind of a run that somebody called by the Step's name."""
ANSWERED = ("http", INVOKE)
"""The kinds of runs that somebody waited for: their history is no message to be delivered again."""

ONCE = ("cron", "state")
"""The kinds of runs of which one cause has one for ever: they keep the key that says so."""


@dataclass(slots=True, kw_only=True)
class Run:
    """One execution of one Step for one cause. Nobody changes it: `replace` makes another.

    (That nobody could would cost more than all else of making one.)
    """

    id: UUID
    step: str
    trigger: str
    """The kind of trigger: http, queue, cron, state, stream, or invoke."""
    index: int = 0
    """Which of the Step's triggers it was."""
    source: str = ""
    """The topic, `METHOD /path`, cron expression or `group/key` that caused it."""
    input: Any = None
    trace_id: str
    parent_id: UUID | None = None
    parent_span: str | None = None
    """The span of OpenTelemetry that it was born in (see `tracing.Cause.span`)."""
    depth: int = 0
    status: Status = Status.QUEUED
    attempt: int = 0
    """The number of tries so far, this one included."""
    fence: int = 0
    """Grows with every claim; only the holder of the last one may finish the run."""
    created_at: datetime
    message_group: str = ""
    """The group of a fifo trigger's messages that this one keeps its order in."""
    turn: Turn | None = None
    """What a run that is being born has to wait for; the ledger knows it afterwards."""
    limited: bool = False
    """Whether it has to wait its turn, by order or by concurrency."""
    dedupe_key: str | None = None
    """While this run is unfinished, no other is born with the same key."""
    dedupe_until: datetime | None = None
    """Until when none is, even if this one is finished; None if it lets go of its key then."""
    light: bool = False
    """Whether it is in no table: the whole run travels in its message."""
    wake_at: datetime | None = None
    """When upkeep has to look at it: a scheduled run is due, a queued one is published again, a
    running one has lost its worker. None once it is finished."""
    started_at: datetime | None = None
    """When its last attempt began, as far as it was read."""
    tried_since: datetime | None = None
    """When its first attempt began, since it was born or redriven; None until one has failed or
    was snoozed."""
    publishes: int = 0
    """How often it was published before, since it was queued."""
    timeline: tuple[Entry, ...] = ()
    """What earlier attempts noted."""

    def as_cause(self) -> Cause:
        """Return the run as the cause of what follows from it."""
        span = telemetry.span_in(self.trace_id) or self.parent_span
        return Cause(trace_id=self.trace_id, run_id=self.id, depth=self.depth, span=span)

    def to_message(self) -> dict[str, Any]:
        """Return what a light run is sent as, in plain JSON: what most are without is left out."""
        message: dict[str, Any] = {
            "step": self.step,
            "trigger": self.trigger,
            "source": self.source,
            **_carried(self.input),
            "traceId": self.trace_id,
            "createdAt": moments.told(self.created_at),
        }
        if self.index:
            message["index"] = self.index
        if self.depth:
            message["depth"] = self.depth
        if self.parent_id:
            message["parentId"] = str(self.parent_id)
        if self.parent_span:
            message["parentSpan"] = self.parent_span
        return message

    @classmethod
    def from_message(cls, run_id: str, message: Mapping[str, Any]) -> Run:
        """Read a light run from its message, as the first attempt at it."""
        parent = message.get("parentId")
        return cls(
            id=UUID(run_id),
            step=message["step"],
            trigger=message["trigger"],
            index=message.get("index", 0),
            source=message["source"],
            input=payloads.loads(message[_TEXT]) if _TEXT in message else message["input"],
            trace_id=message["traceId"],
            parent_id=UUID(parent) if parent else None,
            parent_span=message.get("parentSpan"),
            depth=message.get("depth", 0),
            created_at=moments.as_kept(datetime.fromisoformat(message["createdAt"])),
            status=Status.RUNNING,
            attempt=1,
            light=True,
        )


class Unread(Run):
    """A run whose input may be given as a function, which is asked for it when somebody asks first.

    What a request said is read behind its answer, from the bytes as they came.
    """

    __slots__ = ("_input",)
    _input: Any

    @property
    def input(self) -> Any:
        """What it is run with, in plain JSON."""
        if callable(self._input):
            self._input = self._input()
        return self._input

    @input.setter
    def input(self, value: Any) -> None:
        self._input = value


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of one attempt; as with runs, nobody changes it."""

    status: Status
    """SUCCEEDED, SKIPPED or DEAD; whether DEAD means another try is for `settle` to say. SCHEDULED
    if the handler snoozed. RUNNING while the answer is still being made, part by part; CANCELLED if
    who waited for it has gone."""
    value: Any = None
    """What the handler returned, checked."""
    error: Exception | None = None
    rejected: bool = False
    """Whether it was over before the handler was called: trying again cannot help."""
    started_at: datetime
    finished_at: datetime
    timeline: tuple[Entry, ...] = ()
    keys: Keys = ()
    """The index keys that the handler has given the run."""
    scope: Scope | None = None
    """Of one that is RUNNING: what its parts are made in."""
    noted: Timeline | None = None
    """Of one that wrote in transactions: what knows which of the timeline is undone meanwhile."""

    def as_of_now(self) -> Outcome:
        """Return the same with what was undone by a rollback until now marked in its timeline."""
        if self.noted is None:
            return self
        return replace(self, timeline=tuple(self.noted.entries()))

    def with_value(self, value: Any) -> Outcome:
        """Return the same with another value; `replace` would take ten times as long."""
        return Outcome(
            status=self.status,
            value=value,
            error=self.error,
            rejected=self.rejected,
            started_at=self.started_at,
            finished_at=self.finished_at,
            timeline=self.timeline,
            keys=self.keys,
            scope=self.scope,
            noted=self.noted,
        )

    @property
    def failed(self) -> bool:
        """Whether the attempt did not do its work."""
        return self.status in _FAILED

    @property
    def snoozed(self) -> bool:
        """Whether the attempt counts for nothing: its handler asked to go on later."""
        return self.status is Status.SCHEDULED

    @property
    def summary(self) -> str:
        """The error in one line, such as `KeyError: 'orderId'`."""
        return summary_of(self.error) if self.error and self.failed else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What the ledger writes when an attempt is over."""

    status: Status
    wake_at: datetime | None = None
    snoozed: bool = False
    """Whether it is SCHEDULED because its handler asked to go on later."""
    freed: Turn | None = None
    """What the run no longer holds, so that somebody else may go on."""


def settle(run: Run, outcome: Outcome, delivery: Delivery, now: datetime) -> Settlement:
    """Decide what follows an attempt: the end, or another one later.

    Which of them does not depend on `now`, so that whoever asks again is told the same.
    """
    if not (outcome.failed or outcome.snoozed):
        return Settlement(status=outcome.status)
    tried_for = outcome.finished_at - (run.tried_since or outcome.started_at)
    hopeless = outcome.rejected or isinstance(outcome.error, Dead)
    if outcome.failed and (hopeless or not delivery.allows(run.attempt, tried_for)):
        return Settlement(status=Status.DEAD)
    asked = outcome.error.after if isinstance(outcome.error, Retry | Snooze) else None
    wait = delivery.backoff(run.attempt) if asked is None else asked
    wake_at = now + min(wait, delivery.left(tried_for))
    return Settlement(status=Status.SCHEDULED, wake_at=wake_at, snoozed=outcome.snoozed)


def _carried(input: Any) -> dict[str, Any]:
    """Return a light run's input as its message has it.

    What kombu might read as something else, or refuse to read, which loses a message, goes as text.
    """
    text = payloads.dumps(input)
    return {_TEXT: text} if _OF_KOMBU in text else {"input": input}


def new_run_id() -> UUID:
    """Return a new UUID of version 7 (RFC 9562): ids made later sort later, which indexes like.

    The 12 bits after the milliseconds are their fraction (section 6.2, method 3), so that the runs
    that one process makes in a row keep their order.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    first = milliseconds << 16 | 7 << 12 | rest * 4096 // 1_000_000
    last = 0b10 << 62 | int.from_bytes(os.urandom(8), "big") >> 2
    return UUID(int=first << 64 | last)


def birth_of(run_id: UUID) -> datetime:
    """Return when a run was born, to the microsecond: its id begins with it (see `new_run_id`)."""
    milliseconds = (run_id.int >> 80) + (run_id.int >> 64 & 0xFFF) / 4096
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def lowest_id_at(moment: datetime) -> UUID:
    """Return the lowest id that a run born at that moment can have."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def summary_of(error: BaseException) -> str:
    """Return an exception in one line."""
    try:
        text = plain_text(str(error)).strip().splitlines()
    except Exception:
        text = ["(its text cannot be had)"]
    return f"{type(error).__name__}: {text[0]}"[:1000] if text else type(error).__name__


def traceback_of(error: BaseException) -> str:
    """Return an exception with its traceback, as Python prints it, from the project's code on."""
    return plain_text("".join(traceback.format_exception(*tracebacks.shown(error))))


def in_short(error: str) -> str:
    """Return that line for a narrow column: what its neighbours say of it as well is left out."""
    return _SAID_BESIDE.sub("", in_one_line(error))


def in_one_line(error: str) -> str:
    """Return of a traceback what `summary_of` returns of its exception: no module is named."""
    return _MODULE.sub("", last_line(error))


def last_line(error: str) -> str:
    """Return the line of a traceback that names the exception."""
    lines = error.strip().splitlines()
    headings = [at for at, line in enumerate(lines) if line.startswith(_CHAINED)]
    after = lines[headings[-1] + 1 :] if headings else lines
    named = (line for line in after if line and not line[0].isspace())
    return next(named, lines[-1].strip() if lines else "")
