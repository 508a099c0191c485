"""Values in words: statuses, kinds of trigger, times, durations, JSON."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, tzinfo
from http.client import responses
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from motia_django import models, payloads
from motia_django.conf import settings
from motia_django.ledger.rows import shown_input, without_credentials
from motia_django.lines import escaped, spelled_out
from motia_django.moments import local
from motia_django.registry import registry
from motia_django.runs import INVOKE, Status, last_line

NOTHING = "–"
MOST_CHARACTERS = 200_000
"""Of one JSON document on a page."""
_LONGEST_LINE = 300
_MOST_OF_TRACEBACK = 20_000

STATUSES: dict[str, Promise] = {
    Status.SCHEDULED: pgettext_lazy("status of a run", "scheduled"),
    Status.QUEUED: pgettext_lazy("status of a run", "queued"),
    Status.RUNNING: pgettext_lazy("status of a run", "running"),
    Status.SUCCEEDED: pgettext_lazy("status of a run", "succeeded"),
    Status.SKIPPED: pgettext_lazy("status of a run", "skipped"),
    Status.CANCELLED: pgettext_lazy("status of a run", "cancelled"),
    Status.DEAD: pgettext_lazy("status of a run", "dead"),
}
KINDS: dict[str, Promise] = {
    "http": gettext_lazy("HTTP"),
    "queue": gettext_lazy("message"),
    "cron": gettext_lazy("schedule"),
    "state": gettext_lazy("state"),
    "stream": gettext_lazy("stream"),
    INVOKE: gettext_lazy("invocation"),
}
FAILED = f"{Status.DEAD},{Status.SCHEDULED}"
"""What the list of runs is asked for to see those that failed: dead, or to be tried again."""
WAITING = f"{Status.QUEUED},{Status.SCHEDULED}"


def badge(status: str, word: str = "") -> SafeString:
    """Return a status, or a word in its place, as the style sheet colours it."""
    word = word or str(STATUSES.get(status, status))
    known = status if status in STATUSES else "unknown"
    return format_html('<span class="motia-status motia-{}">{}</span>', known, word)


def kind(trigger: str) -> str:
    """Return a kind of trigger in a word."""
    return str(KINDS.get(trigger, trigger))


def moment(value: datetime | None) -> str:
    """Return a time to the second, in the zone of the reader's settings."""
    return f"{local(value):%Y-%m-%d %H:%M:%S}" if value else NOTHING


def http_status(code: int) -> str:
    """Return a status code with its name, such as "409 Conflict"."""
    return f"{code} {responses.get(code, '')}".strip()


def stacked(first: str, second: str) -> SafeString:
    """Return two short texts, one above the other, to keep a column narrow."""
    shape = '<span class="motia-stack">{}</span> <span class="motia-second" title="{}">{}</span>'
    return format_html(shape, first, second, second)


def below(first: SafeString | str, second: str) -> SafeString:
    """Return a remark in quiet text under something else."""
    return format_html('{} <span class="motia-stack">{}</span>', first, second)


def moment_stacked(value: datetime | None) -> SafeString | str:
    """Return a time for a narrow column: the date above the time of day."""
    return stacked(*moment(value).split(" ", 1)) if value else NOTHING


def moment_with_zone(value: datetime | None) -> str:
    """Return a time to the millisecond, with the name of its zone."""
    if value is None:
        return NOTHING
    here = local(value)
    return f"{here:%Y-%m-%d %H:%M:%S}.{here.microsecond // 1000:03d} {here:%Z}".strip()


def clocks(value: datetime, zone: tzinfo) -> tuple[str, str]:
    """Return a time in the reader's zone, and what clocks show in another; "" if they agree."""
    here = local(value)
    there = here.astimezone(zone)
    if here.utcoffset() == there.utcoffset():
        return moment(value), ""
    text = f"{there:%H:%M:%S}" if here.date() == there.date() else f"{there:%Y-%m-%d %H:%M:%S}"
    return moment(value), _("%(time)s in %(zone)s") % {"time": text, "zone": zone}


def since(began: datetime | None, by: str, reason: str) -> str:
    """Return since when something is so, by whom, and why."""
    who = _("since %(since)s by %(by)s") if by else _("since %(since)s")
    text = who % {"since": moment(began), "by": by}
    return f"{text}: {reason}" if reason else text


def hidden_runs(number: int) -> str:
    """Return how many runs there are besides, which are not shown to the reader; nothing of none.

    So whoever is warned of them is warned, though no Step is named that he may not see.
    """
    text = ngettext(
        "%(number)s run that you may not see", "%(number)s runs that you may not see", number
    )
    return text % {"number": f"{number:,}"} if number else ""


def counted(number: int, most: int | None = None) -> str:
    """Return a number that was counted no further than `most`, `pulse.MOST` unless told."""
    if most is None:
        from motia_django.ledger import pulse

        most = pulse.MOST
    return f"{most:,}+" if number >= most else f"{number:,}"


def time_of_day(value: datetime) -> str:
    """Return the hour and the minute of a time, in the zone of the reader's settings."""
    return f"{local(value):%H:%M}"


def minute(value: datetime) -> str:
    """Return a time to the minute as query strings have it, in the reader's zone."""
    return f"{local(value):%Y-%m-%dT%H:%M}"


def duration(length: timedelta | None) -> str:
    """Return a length of time in its two largest units."""
    if length is None:
        return NOTHING
    seconds = max(length.total_seconds(), 0)
    if seconds < 1:
        return _("%(number)s ms") % {"number": round(seconds * 1000) or "< 1"}
    if seconds < 60:
        return _("%(number)s s") % {"number": f"{seconds:.3g}"}
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60 and not rest:
        return _("%(minutes)d min") % {"minutes": minutes}
    if minutes < 60:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    return _("%(days)d d %(hours)d h") % {"days": hours // 24, "hours": hours % 24}


def masked(value: Any, step: str | None = None) -> Any:
    """Return plain `value` without its secrets: as this Step has it, in whose run it was."""
    return payloads.masked(value, settings().redact if step is None else registry().masks(step))


def masked_as(name: object, value: Any, step: str | None = None) -> Any:
    """Return the plain value of that name without its secrets; all of it may be one."""
    return masked({str(name): value}, step)[str(name)]


def masked_input(row: models.Run) -> Any:
    """Return a run's input without its secrets."""
    return shown_input(row, row.input)


def masked_output(row: models.Run) -> Any:
    """Return what a run's handler returned, or a request was answered with, without its secrets."""
    return masked(without_credentials(row, row.output), row.step)


def spelled(name: str) -> str:
    r"""Return a name that anybody may have chosen, so that no two look the same.

    What would steer the line is spelled out, as `\u202e`; blanks at its ends are within quotes.
    """
    text = spelled_out(name)
    return text if text == text.strip() else f"“{text}”"


def indented(value: Any) -> str:
    """Return a value as JSON to read and to edit."""
    return escaped(json.dumps(value, indent=2, ensure_ascii=False))


def document(value: Any) -> str:
    """Return a value, which is masked already, as JSON to read: cut where it is endless."""
    return Truncator(indented(value)).chars(MOST_CHARACTERS)


def error_line(error: str) -> str:
    """Return the line of a traceback that names the exception, as far as one reads it."""
    return in_a_line(last_line(error))


def in_a_line(text: str) -> str:
    """Return a text as far as one reads it, with what would turn or steer the line spelled out."""
    return shortened(spelled_out(text))


def shortened(text: str) -> str:
    """Return a text that stands in a line, as far as one reads it."""
    return text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 1]}…"


def as_written(text: str) -> str:
    """Return a text line by line, with what would turn or steer a line spelled out."""
    return "\n".join(map(spelled_out, text.split("\n")))


def traceback(error: str) -> str:
    """Return the end of a traceback, which is where the error is."""
    cut = len(error) - _MOST_OF_TRACEBACK
    shown = as_written(error[max(cut, 0) :])
    return shown if cut <= 0 else f"…{shown}"


def one_line(value: Any, length: int = 120) -> str:
    """Return the JSON of a value, which is masked already, in at most `length` characters."""
    return Truncator(escaped(payloads.dumps(value))).chars(length)
