"""Charts: a number for each minute as a row of bars, drawn by attributes alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from motia_django.admin import words
from motia_django.ledger import pulse

WIDTH, HEIGHT = 600, 80
"""In the units of the chart's SVG."""
_GAP = 1.5
_LEAST = 2.0
"""The height of the smallest number that is not 0: one failure among thousands is to be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One minute."""

    x: str
    y: str
    height: str
    told: str
    url: str
    """Where the runs of this minute are; empty if there are none, or none to be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The minutes of one number, oldest first."""

    name: str
    """In the style sheet: `runs` or `dead`."""
    told: str
    """The sum of it, in words."""
    most: str
    bars: list[Bar]
    width: str
    begins: str


def of_runs(minutes: Sequence[pulse.Minute], url: Callable[..., str]) -> Chart:
    """Return the chart of how many runs were born; `url` is of the runs with such a query."""
    total = sum(each.runs for each in minutes)
    told = ngettext("%d run", "%d runs", total) % total
    return _chart("runs", told, minutes, lambda each: each.runs, url)


def of_dead(minutes: Sequence[pulse.Minute], url: Callable[..., str]) -> Chart:
    """Return the chart of how many of them are dead now."""
    total = sum(each.dead for each in minutes)
    told = ngettext("%d of them dead", "%d of them dead", total) % total
    return _chart("dead", told, minutes, lambda each: each.dead, partial(url, status="dead"))


ALL = (of_runs, of_dead)


def _chart(
    name: str,
    told: str,
    minutes: Sequence[pulse.Minute],
    number: Callable[[pulse.Minute], int],
    url: Callable[..., str],
) -> Chart:
    most = max(map(number, minutes), default=0)
    step = WIDTH / max(len(minutes), 1)
    return Chart(
        name=name,
        told=told,
        most=_("at most %d in a minute") % most,
        bars=[
            _bar(index * step, number(each), most, each, url) for index, each in enumerate(minutes)
        ],
        width=f"{step - _GAP:.2f}",
        begins=words.time_of_day(minutes[0].begins) if minutes else "",
    )


def _bar(x: float, number: int, most: int, minute: pulse.Minute, url: Callable[..., str]) -> Bar:
    height = max(HEIGHT * number / most, _LEAST) if number else 0
    begins = words.time_of_day(minute.begins)
    ends = minute.begins + timedelta(minutes=1)
    query = {"from": words.minute(minute.begins), "to": words.minute(ends)}
    return Bar(
        x=f"{x:.2f}",
        y=f"{HEIGHT - height:.2f}",
        height=f"{height:.2f}",
        told=f"{begins}: {number}",
        url=url(**query) if number else "",
    )
