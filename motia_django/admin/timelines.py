"""A run's timeline, entry by entry, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from motia_django import models
from motia_django.admin import permits, words
from motia_django.admin.links import Links
from motia_django.ledger.rows import shown_input
from motia_django.timeline import OPERATIONS, UNDONE, WOKEN, Entry, moment_of, was_due

LEVELS = ("debug", "info", "warning", "error", "critical")
SHORT = 100
"""Characters of JSON that stand in the line itself; more of it is folded away."""
_KINDS: dict[str, Promise] = {
    "log": gettext_lazy("log"),
    "state": gettext_lazy("state"),
    "stream": gettext_lazy("stream"),
    "enqueue": gettext_lazy("message sent"),
    "invoke": gettext_lazy("Step invoked"),
    "worker_lost": gettext_lazy("worker lost"),
    "overlap": gettext_lazy("overlap"),
    "snoozed": gettext_lazy("snoozed"),
    WOKEN: gettext_lazy("woken"),
    "left_out": gettext_lazy("left out"),
    "error": gettext_lazy("error"),
    "note": gettext_lazy("note"),
    "started": gettext_lazy("started"),
    "redriven": gettext_lazy("redriven"),
    "moved": gettext_lazy("moved"),
    "discarded": gettext_lazy("discarded"),
    "cancelled": gettext_lazy("cancelled"),
    "retried": gettext_lazy("tried at once"),
    "rerun": gettext_lazy("run again"),
    "repeats": gettext_lazy("repeats a run"),
}
_LEVELS = {"worker_lost": "error", "error": "error", "left_out": "debug"}
_FRAME = ("at", "kind", "attempt", UNDONE)
_VALUES = ("old", "new", "event")
"""What an entry says an item was and is."""
_ITEMS = {"state": "key", "stream": "item"}
"""Where an entry of this kind names the item."""
_TIMED = (*OPERATIONS, WOKEN)
"""Kinds of entries that say at what time of day it was, and not how long after the start."""
_OF_STEPS = ("step", "steps", "from", "to")
"""Where entries name Steps."""
_LINKED = ("enqueue", "invoke", "overlap", "rerun", "repeats", WOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry as the page shows it."""

    at: str
    attempt: Any
    kind: str
    level: str
    """What the style sheet colours it by: a log level, or nothing."""
    is_undone: bool
    """Whether a rollback has undone what it tells of; `kind` says so, too."""
    text: str
    url: str
    facts: str
    """JSON in a line, or nothing."""
    document: str
    """JSON too long for a line, or a traceback, to unfold, or nothing."""


def lines(row: models.Run, timeline: Any, links: Links) -> list[Line]:
    """Return entries of a run's timeline in words; unknown kinds are shown as they are.

    When each attempt was is told elsewhere.
    """
    entries = seen(row, timeline, links)
    return [_line(each, links) for each in entries if each.get("kind") != "attempt"]


def seen(row: models.Run, timeline: Any, links: Links) -> list[Entry]:
    """Return a timeline's entries without secrets and the names of Steps that are not to be seen.

    What an entry says an item was and is may be a secret by the item's name.
    """
    whole: Sequence[Any] = timeline if isinstance(timeline, list) else []
    entries = (each if isinstance(each, dict) else {"value": each} for each in whole)
    steps = permits.visible(links.request)
    masked = [_masked(each, row) for each in entries]
    if steps is None:
        return masked
    of = _steps_of(masked, row.step)
    return [_narrowed(each, step, steps) for each, step in zip(masked, of, strict=True)]


def _steps_of(entries: Sequence[Entry], now: str) -> list[str]:
    """Return for each entry whose run it was then: another Step's, before it was moved."""
    found = []
    for each in reversed(entries):
        now = str(each["from"]) if each.get("kind") == "moved" and "from" in each else now
        found.append(now)
    return found[::-1]


def _masked(entry: Entry, row: models.Run) -> Entry:
    item = entry.get(_ITEMS.get(str(entry.get("kind")), ""))
    step = row.step
    hidden = {name: words.masked_as(item, value, step) for name, value in _values(entry).items()}
    if entry.get("kind") in OPERATIONS and "old" in entry:
        hidden["old"] = shown_input(row, entry["old"])
    whole: Entry = words.masked({**entry, **hidden}, step)
    return whole


def _narrowed(entry: Entry, step: str, steps: Sequence[str]) -> Entry:
    """Return an entry with no names of Steps but these; a list of none of them is left out.

    So is the input that the run had while it was another Step's; `step` says whose.
    """
    named = {name: entry[name] for name in _OF_STEPS if name in entry}
    left = {
        name: [each for each in value if each in steps] if isinstance(value, list) else value
        for name, value in named.items()
        if isinstance(value, list) or value in steps
    }
    is_hidden = step not in steps and entry.get("kind") in OPERATIONS
    unseen = {*named, "old"} if is_hidden else {*named}
    rest = {name: value for name, value in entry.items() if name not in unseen}
    return rest | {name: value for name, value in left.items() if value or not named[name]}


def _line(entry: Entry, links: Links) -> Line:
    kind = str(entry.get("kind", ""))
    text, facts = _READERS.get(kind, _as_it_is)(entry)
    short = words.one_line(facts, SHORT + 1) if facts else ""
    is_long = len(short) > SHORT
    traceback = words.traceback(str(entry.get("traceback") or ""))
    level = entry.get("level") if kind == "log" else _LEVELS.get(kind)
    is_undone = bool(entry.get(UNDONE))
    return Line(
        at=_when(entry.get("time")) if kind in _TIMED else _time(entry.get("at")),
        attempt=entry.get("attempt"),
        kind=_named(kind, is_undone),
        level=level if level in LEVELS else "",
        is_undone=is_undone,
        text=words.as_written(text),
        url="" if is_undone else _url(kind, entry, links),
        facts="" if is_long else short,
        document=words.document(facts) if is_long else traceback,
    )


def _named(kind: str, is_undone: bool) -> str:
    name = str(_KINDS.get(kind, kind))
    return _("%s, undone") % name if is_undone else name


def _url(kind: str, entry: Entry, links: Links) -> str:
    """Return where the run is that an entry names; one that was undone is nowhere."""
    return links.run(str(entry["run_id"])) if kind in _LINKED and entry.get("run_id") else ""


def _time(at: Any) -> str:
    if isinstance(at, bool) or not isinstance(at, int | float):
        return words.NOTHING
    try:
        return words.duration(timedelta(seconds=at))
    except (ValueError, OverflowError):
        return words.NOTHING


def _when(time: Any) -> str:
    """Return when an operator did something."""
    return words.moment(moment_of(time))


def _log(entry: Entry) -> tuple[str, Any]:
    level, message = entry.get("level"), str(entry.get("message", ""))
    text = message if level in ("info", None) else f"{str(level).upper()}: {message}"
    return text, entry.get("fields")


def _state(entry: Entry) -> tuple[str, Any]:
    place = "/".join(str(entry[part]) for part in ("group", "key") if part in entry)
    return f"{entry.get('operation', '')} {place}", _values(entry)


def _stream(entry: Entry) -> tuple[str, Any]:
    place = "/".join(str(entry[part]) for part in ("stream", "group", "item") if entry.get(part))
    return f"{entry.get('operation', '')} {place}", _values(entry)


def _values(entry: Entry) -> Entry:
    return {name: entry[name] for name in _VALUES if name in entry}


def _enqueue(entry: Entry) -> tuple[str, Any]:
    heard, topic = entry.get("steps"), str(entry.get("topic", ""))
    names = ", ".join(map(str, heard)) if isinstance(heard, list) else ""
    to = _("nobody listens") if heard == [] else names  # of those not to be seen nothing is said
    text = f"{topic} → {to}" if to else topic
    if entry.get("run_id"):
        text = f"{text}: {_('held by run %s (dedupeKey)') % entry['run_id']}"
    return text, {"data": entry.get("data")}


def _invoke(entry: Entry) -> tuple[str, Any]:
    status = str(entry.get("status", ""))
    told = str(words.STATUSES.get(status, status))
    return f"{entry['step']}: {told}" if "step" in entry else told, None


def _operation(entry: Entry) -> tuple[str, Any]:
    parts = [_("by %s") % (entry.get("by") or _("somebody"))]
    if entry.get("from") and entry.get("to"):
        parts.append(_("from %(old)s to %(new)s") % {"old": entry["from"], "new": entry["to"]})
    if entry.get("source"):
        parts.append(_("it was started by %s") % entry["source"])
    count = entry.get("attempts")
    if isinstance(count, int) and count:
        parts.append(ngettext("after %d attempt", "after %d attempts", count) % count)
    if entry.get("run_id"):
        parts.append(_("see run %s") % entry["run_id"])
    if entry.get("input"):
        parts.append(_("its input edited"))
    text = ", ".join(map(str, parts))
    reason = f": {entry['reason']}" if entry.get("reason") else ""
    return f"{text}{reason}", {"old": entry["old"]} if "old" in entry else None


def _message(entry: Entry) -> tuple[str, Any]:
    return words.shortened(str(entry.get("message", ""))), None


def _snoozed(entry: Entry) -> tuple[str, Any]:
    until = _("until %s") % _when(entry.get("until"))
    if entry.get("over"):
        until = f"{until}, {_over(entry)}"
    times = entry.get("times")
    if isinstance(times, int) and times > 1:
        until = ngettext("%(count)d time, %(last)s", "%(count)d times, %(last)s", times) % {
            "count": times,
            "last": until,
        }
    return f"{until}: {words.shortened(str(entry.get('reason', '')))}", None


def _over(entry: Entry) -> str:
    """Return how a snooze has ended that nobody is known to have ended early."""
    if was_due(entry):
        return _("when it was due")
    return _("but it went on at %s") % _when(entry.get("over"))


def _woken(entry: Entry) -> tuple[str, Any]:
    if entry.get("ahead"):
        return _("before it was snoozed"), None
    by = [str(entry["step"])] if entry.get("step") else []
    by += [_("run %s") % entry["run_id"]] if entry.get("run_id") else []
    return _("by %s") % ", ".join(by) if by else "", None


def _overlap(entry: Entry) -> tuple[str, Any]:
    return _("the run before it still went on"), None


def _left_out(entry: Entry) -> tuple[str, Any]:
    count = entry.get("count")
    count = count if isinstance(count, int) else 0
    text = ngettext("%(count)d more entry did not fit", "%(count)d more entries did not fit", count)
    return text % {"count": count}, None


def _as_it_is(entry: Entry) -> tuple[str, Any]:
    return "", {key: value for key, value in entry.items() if key not in _FRAME}


_READERS: dict[str, Callable[[Entry], tuple[str, Any]]] = {
    "log": _log,
    "state": _state,
    "stream": _stream,
    "enqueue": _enqueue,
    "invoke": _invoke,
    "worker_lost": _message,
    "error": _message,
    "note": _message,
    "overlap": _overlap,
    "snoozed": _snoozed,
    WOKEN: _woken,
    "left_out": _left_out,
    **dict.fromkeys(OPERATIONS, _operation),
}
