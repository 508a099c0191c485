"""What happened inside one run, in order: bounded, masked, timed from the run's start."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.timezone import localtime

from motia_django import payloads
from motia_django.conf import settings

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
_LARGEST_FACT = 4096
"""Bytes of JSON."""
_LONGEST_ERROR = 300


class Timeline:
    """A run's list of events. Each is `{"at": seconds since the start, "kind": ..., ...}`."""

    __slots__ = ("_entries", "_error", "_left_out", "_settings", "_started", "masks")

    def __init__(self, masks: tuple[str, ...] | None = None) -> None:
        """Mask what is under keys with these words in them; by None, with those of the setting."""
        self._started = time.monotonic()
        self._entries: list[Entry] = []
        self._error: Entry | None = None
        self._left_out = 0
        self._settings = settings()
        self.masks = self._settings.redact if masks is None else masks

    def add(self, kind: str, **facts: Any) -> None:
        """Note that `kind` happened just now; past the bound only its number is kept."""
        if len(self._entries) >= self._settings.timeline_entries:
            self._left_out += 1
            return
        self._entries.append(self._entry(kind, facts))

    def fail(self, error: str, traceback: str) -> None:
        """Note the error that ended the attempt, however much was noted before."""
        shown = traceback[-_LARGEST_FACT:]
        self._error = self._entry("error", {"message": error, "traceback": shown})

    def entries(self) -> list[Entry]:
        """Return what was noted, what did not fit counted, and the error at the end."""
        whole = list(self._entries)
        if self._left_out:
            whole.append(self._entry("left_out", {"count": self._left_out}))
        return whole if self._error is None else [*whole, self._error]

    def _entry(self, kind: str, facts: Entry) -> Entry:
        at = round(time.monotonic() - self._started, 4)
        presentable = payloads.masked(payloads.presentable(facts), self.masks)
        return {"at": at, "kind": kind, **_bounded(presentable)}


def operation(kind: str, by: str, reason: str = "", **facts: Any) -> Entry:
    """Return the entry that tells of what an operator did just now, its facts cut."""
    note = {"at": None, "kind": kind, "by": by, "time": timezone.now().isoformat()}
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
    times = {"began": began.isoformat(), "ended": ended.isoformat()}
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
    return f"{localtime(moment):%Y-%m-%d %H:%M:%S}"


def snoozed(
    earlier: Sequence[Entry], attempt: int, later: Sequence[Entry], until: datetime, reason: str
) -> list[Entry]:
    """Append the entries of an attempt that was snoozed, and until when it is.

    Where the same happened in the one before, which was snoozed too, they take its place, and say
    how many they were: whoever looks each minute whether he may go on says so once.
    """
    note = {"at": None, "kind": "snoozed", "times": 1}
    note |= {"until": until.isoformat(), "reason": reason[:_LONGEST_ERROR]}
    *before, last = earlier[-len(later) - 1 :] or ({},)
    if last.get("kind") == "snoozed" and [*map(_what, before)] == [*map(_what, later)]:
        note["times"] += last.get("times", 1)
        earlier = earlier[: -len(later) - 1]
    return joined(earlier, attempt, [*later, note])


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
    facts = {key: value for key, value in entry.items() if key not in ("at", "kind", "attempt")}
    at = "" if entry.get("at") is None else f"+{entry['at']:.3f} s  "
    told = _TOLD[kind](facts) if kind in _TOLD else f"{kind} {payloads.dumps(facts)}"
    return f"{at}{told}"


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
    when = parse_datetime(str(facts.get("time")))
    at = f" at {clock(when)}" if when else ""
    return f"{kind}{route} by {who}{at}{after}{edited}{reason}"


_OTHER_RUN = {"rerun": ", as run %(run_id)s", "repeats": ", this being run again: %(run_id)s"}


def _attempt(facts: Entry) -> str:
    """Tell of an attempt that failed: when it was, how long it took, and the error in a line."""
    began = parse_datetime(str(facts.get("began")))
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
    until = parse_datetime(str(facts.get("until")))
    often = f" {times} times," if times > 1 else ""
    when = f" until {localtime(until):%Y-%m-%d %H:%M:%S}" if until else ""
    return f"snoozed{often}{when}: {facts.get('reason')}"


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
    "worker_lost": lambda facts: f"worker_lost: {facts.get('message')}",
    "left_out": lambda facts: f"{facts.get('count')} more entries did not fit",
}
