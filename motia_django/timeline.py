"""What happened inside one run, in order: bounded, masked, timed from the run's start."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from motia_django import moments, payloads
from motia_django.conf import settings
from motia_django.exceptions import PayloadError
from motia_django.hooks import Fate, fate_in
from motia_django.moments import told

Entry = dict[str, Any]

OPERATIONS = (
    "started",
    "redriven",
    "discarded",
    "cancelled",
    "moved",
    "retried",
    "rerun",
    "repeats",
)
"""What operators do to a run: `{"kind", "by", "time", "reason", ...}`.

Where they have edited its input, `old` is what it was, masked as its Step of then has it.
"""
AFRESH = ("redriven", "moved")
"""Those after which attempts are counted anew."""
WOKEN = "woken"
"""The kind of the entry that tells that a run was woken."""
UNDONE = "undone"
"""The key of entries that tell of what a rollback has undone."""
_FRAME = ("at", "kind", "attempt", UNDONE)
_LARGEST_FACT = 4096
"""Bytes of JSON."""
_LONGEST_ERROR = 300
_MOST_CALLS = 20
"""Of a handler that is snoozed again and again: of so many it is kept when they were."""
_DUE = timedelta(seconds=1)
"""So much may the clocks of two machines differ about whether a snooze was due."""


class Timeline:
    """A run's list of events. Each is `{"at": seconds since the start, "kind": ..., ...}`."""

    __slots__ = ("_entries", "_error", "_fates", "_left_out", "_masks", "_started")

    def __init__(self, masks: Callable[[], tuple[str, ...]] = lambda: settings().redact) -> None:
        """Mask what is under keys with the words that `masks` gives, asked when there is one."""
        self._started = time.monotonic()
        self._entries: list[Entry] = []
        self._error: Entry | None = None
        self._fates: dict[int, Fate] = {}
        self._left_out = 0
        self._masks = masks

    @property
    def masks(self) -> tuple[str, ...]:
        """The words in keys whose values are masked."""
        return self._masks()

    def add(self, kind: str, database: str | None = None, /, **facts: Any) -> None:
        """Note that `kind` happened just now; past the bound only its number is kept.

        What was written in a `database`, by its alias, is marked as undone if that rolls back.
        """
        if len(self._entries) >= settings().timeline_entries:
            self._left_out += 1
            return
        fate = fate_in(database)
        if fate is not None:
            self._fates[len(self._entries)] = fate
        self._entries.append(self._entry(kind, facts))

    @property
    def may_be_undone(self) -> bool:
        """Whether anything was noted that was written in a transaction."""
        return bool(self._fates)

    def fail(self, error: str, traceback: str) -> None:
        """Note the error that ended the attempt, however much was noted before."""
        shown = traceback[-_LARGEST_FACT:]
        self._error = self._entry("error", {"message": error, "traceback": shown})

    def entries(self) -> list[Entry]:
        """Return what was noted, what did not fit counted, and the error at the end.

        What was undone by a rollback until now says so: `"undone": True`.
        """
        whole = list(self._entries)
        for at, fate in self._fates.items():
            if fate.is_undone:
                whole[at] = {**whole[at], UNDONE: True}
        if self._left_out:
            whole.append(self._entry("left_out", {"count": self._left_out}))
        return whole if self._error is None else [*whole, self._error]

    def _entry(self, kind: str, facts: Entry) -> Entry:
        at = round(time.monotonic() - self._started, 4)
        return {"at": at, "kind": kind, **self._shown(facts)}

    def _shown(self, facts: Entry) -> Entry:
        """Return facts for people to read: their secrets masked, and the large ones cut."""
        try:
            content = payloads.dump(facts)
        except PayloadError:
            return _bounded(payloads.masked(payloads.presentable(facts), self.masks))
        shown: Entry = payloads.masked(payloads.loads(content), self.masks)
        return shown if len(content) <= _LARGEST_FACT else _bounded(shown)


def operation(kind: str, by: str, reason: str = "", **facts: Any) -> Entry:
    """Return the entry that tells of what an operator did just now, its facts cut."""
    note = {"at": None, "kind": kind, "by": by, "time": told(timezone.now())}
    return note | ({"reason": reason} if reason else {}) | _bounded(facts)


def _bounded(facts: Entry) -> Entry:
    """Return the facts with large ones cut: an entry tells what happened, it is no store."""
    return {
        key: value[:_LARGEST_FACT] if isinstance(value, str) else payloads.cut(value, _LARGEST_FACT)
        for key, value in facts.items()
    }


def tried(began: datetime, ended: datetime, error: str) -> Entry:
    """Return the entry that ends an attempt that failed: when it was, and the error in a line."""
    took = round((ended - began).total_seconds(), 4)
    times = {"began": told(began), "ended": told(ended)}
    return {"at": max(took, 0), "kind": "attempt", **times, "error": error[:_LONGEST_ERROR]}


def joined(earlier: Sequence[Entry], attempt: int, later: Sequence[Entry]) -> list[Entry]:
    """Append an attempt's entries to those of the attempts before it, within the bound.

    The bound drops the oldest entries: at three in the morning the last attempt is the one to read.
    """
    whole = [*earlier, *({"attempt": attempt, **entry} for entry in later)]
    limit = settings().timeline_entries * 2
    return whole if len(whole) <= limit else whole[-limit:]


def clock(moment: datetime) -> str:
    """Return a time as commands tell it: in the project's zone, to the second."""
    return f"{moments.local(moment):%Y-%m-%d %H:%M:%S}"


def snooze(began: datetime, ended: datetime, until: datetime, reason: str) -> Entry:
    """Return the entry that ends a call of a handler which asked to go on later."""
    took = max(round((ended - began).total_seconds(), 4), 0)
    note = {"at": took, "kind": "snoozed", "times": 1, "worked": took}
    note |= {"calls": [[told(began), took]]}
    return {**note, "until": told(until), "reason": reason[:_LONGEST_ERROR]}


def snoozed(
    earlier: Sequence[Entry], attempt: int, later: Sequence[Entry], note: Entry
) -> list[Entry]:
    """Append the entries of a call that was snoozed, and the `note` of that.

    Where the same happened in the one before, which was snoozed too, they take its place, and say
    how many they were: whoever looks each minute whether he may go on says so once.
    """
    *before, last = earlier[-len(later) - 1 :] or ({},)
    if last.get("kind") == "snoozed" and [*map(_what, before)] == [*map(_what, later)]:
        note = _once_more(last, note)
        earlier = earlier[: -len(later) - 1]
    return joined(earlier, attempt, [*later, note])


def _once_more(last: Entry, note: Entry) -> Entry:
    """Return one entry for two; of many calls it says when the first was, and the newest."""
    calls = [*last.get("calls", ()), *note["calls"]]
    if len(calls) > _MOST_CALLS:
        calls = [calls[0], *calls[1 - _MOST_CALLS :]]
    worked = round(last.get("worked", 0) + note["worked"], 4)
    return {**note, "times": last.get("times", 1) + 1, "worked": worked, "calls": calls}


def gone_on(timeline: Sequence[Entry], began: datetime) -> Sequence[Entry]:
    """Return a timeline with when a snooze at its end was over; what ended it early is said."""
    if not timeline or timeline[-1].get("kind") != "snoozed":
        return timeline
    return [*timeline[:-1], {**timeline[-1], "over": told(began)}]


def was_due(entry: Entry) -> bool:
    """Return whether a snooze that is over has lasted for its time."""
    until, over = moment_of(entry.get("until")), moment_of(entry.get("over"))
    return until is None or over is None or over >= until - _DUE


def woken(**by: str) -> Entry:
    """Return the entry that tells that a run was woken just now, and by which `step` and `run_id`.

    Neither is known where no run was going on.
    """
    return {"at": None, "kind": WOKEN, "time": told(timezone.now()), **by}


def woken_ahead() -> Entry:
    """Return the entry that ends a snooze at once: the run was woken while it was on its way."""
    return {"at": None, "kind": WOKEN, "ahead": True}


def called_before(timeline: Sequence[Entry], attempt: int) -> tuple[int, float]:
    """Return how often a run was snoozed in an attempt, and how many seconds that worked."""
    afresh = [at for at, each in enumerate(timeline) if each.get("kind") in AFRESH]
    since = timeline[afresh[-1] :] if afresh else timeline
    found = [
        each for each in since if each.get("kind") == "snoozed" and each.get("attempt") == attempt
    ]
    times = sum(each.get("times", 1) for each in found)
    return times, sum(each.get("worked", 0) for each in found)


def moment_of(text: Any) -> datetime | None:
    """Return a time that an entry tells of, as the row has its own; None if it is none."""
    found = moments.read(str(text))
    # What is told in another zone must still be a time there.
    return found if found and datetime.min.year < found.year < datetime.max.year else None


def _what(entry: Entry) -> Entry:
    """Return what an entry tells, whenever it was."""
    return {key: value for key, value in entry.items() if key not in ("at", "attempt")}


def in_words(entry: Entry) -> str:
    """Return one entry as a line of text: `+0.012 s  info: Todo processed {"todoId": "17"}`."""
    kind = str(entry.get("kind", "?"))
    if kind in OPERATIONS:
        return _operation(kind, entry)
    if kind == "attempt":
        return _attempt(entry)
    facts = {key: value for key, value in entry.items() if key not in _FRAME}
    at = "" if entry.get("at") is None else f"+{entry['at']:.3f} s  "
    told = _TOLD[kind](facts) if kind in _TOLD else f"{kind} {payloads.dumps(facts)}"
    return f"{at}{told}{' (undone)' if entry.get(UNDONE) else ''}"


def _operation(kind: str, facts: Entry) -> str:
    route = f" from {facts['from']} to {facts.get('to')}" if facts.get("from") else ""
    route += f" (started by {facts['source']})" if facts.get("source") else ""
    edited = ", its input edited" if facts.get("input") else ""
    edited += f" (it was {payloads.dumps(facts['old'])})" if "old" in facts else ""
    count = facts.get("attempts")
    after = f", after {count} attempt{'s' * (count != 1)}" if count else ""
    edited += _OTHER_RUN.get(kind, "") % facts if facts.get("run_id") else ""
    reason = f": {facts['reason']}" if facts.get("reason") else ""
    who = facts.get("by") or "somebody"
    when = moment_of(facts.get("time"))
    at = f" at {clock(when)}" if when else ""
    return f"{kind}{route} by {who}{at}{after}{edited}{reason}"


_OTHER_RUN = {"rerun": ", as run %(run_id)s", "repeats": ", this being run again: %(run_id)s"}


def _attempt(facts: Entry) -> str:
    """Tell of an attempt that failed: when it was, how long it took, and the error in a line."""
    began = moment_of(facts.get("began"))
    at = f"  {clock(began)}" if began else ""
    return (
        f"attempt {facts.get('attempt', '?')}{at}  failed after {facts.get('at') or 0:.3f} s:"
        f" {facts.get('error')}"
    )


def _log(facts: Entry) -> str:
    fields = f" {payloads.dumps(facts['fields'])}" if facts.get("fields") else ""
    return f"{facts.get('level')}: {facts.get('message')}{fields}"


def _place(facts: Entry, key: str) -> str:
    """Return which item it was, or which group, with how many of its items."""
    place = "/".join(str(facts[part]) for part in ("group", key) if facts.get(part) is not None)
    count = facts.get("count")
    return place if count is None else f"{place}: {count} item{'s' * (count != 1)}"


def _enqueue(facts: Entry) -> str:
    sent = f"enqueue {facts.get('topic')} -> {', '.join(facts.get('steps') or []) or 'nobody'}"
    run_id = facts.get("run_id")
    return f"{sent}: held by run {run_id} (dedupeKey)" if run_id else sent


def _snoozed(facts: Entry) -> str:
    times = facts.get("times") or 1
    until, over = (moment_of(facts.get(each)) for each in ("until", "over"))
    often = f" {times} times," if times > 1 else ""
    when = f" until {clock(until)}" if until else ""
    if over:
        when += ", when it was due" if was_due(facts) else f", but it went on at {clock(over)}"
    return f"snoozed{often}{when}: {facts.get('reason')}"


def _woken(facts: Entry) -> str:
    when = moment_of(facts.get("time"))
    at = f" at {clock(when)}" if when else ""
    who = [str(facts["step"])] if facts.get("step") else []
    who += [f"run {facts['run_id']}"] if facts.get("run_id") else []
    by = f" by {', '.join(who)}" if who else ""
    ahead = " before it was snoozed" if facts.get("ahead") else ""
    return f"woken{at}{by}{ahead}"


_TOLD: dict[str, Callable[[Entry], str]] = {
    "log": _log,
    "enqueue": _enqueue,
    "state": lambda facts: f"state {facts.get('operation')} {_place(facts, 'key')}",
    "stream": lambda facts: (
        f"stream {facts.get('stream')}: {facts.get('operation')} {_place(facts, 'item')}"
    ),
    "invoke": lambda facts: f"invoke {facts.get('step')}: {facts.get('status')}",
    "error": lambda facts: f"error: {facts.get('message')}",
    "note": lambda facts: f"note: {facts.get('message')}",
    "overlap": lambda facts: f"skipped, since run {facts.get('run_id')} still went on",
    "snoozed": _snoozed,
    WOKEN: _woken,
    "worker_lost": lambda facts: f"worker_lost: {facts.get('message')}",
    "left_out": lambda facts: f"{facts.get('count')} more entries did not fit",
}
