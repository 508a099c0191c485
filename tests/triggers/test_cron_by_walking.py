"""Cron due times against a walk over wall clocks, second by second, by Debian cron's rules."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motia_django.triggers.cron import CronExpression

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
WHOLE = (range(60), range(60), range(24), range(1, 32), range(1, 13), range(7))
"""Seconds, minutes, hours, days, months, weekdays."""
ZONES = [
    "UTC",
    "Asia/Kolkata",  # half an hour off, never changed
    "Asia/Kathmandu",  # a quarter off
    "America/Phoenix",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "Australia/Sydney",  # the southern summer
    "Pacific/Auckland",
    "America/Santiago",
]
FIXED_ONLY = [
    "America/Santiago",  # changes at midnight
    "America/St_Johns",  # changed a minute after it, until 2011
    "America/Havana",
    "Africa/Cairo",
    "Australia/Lord_Howe",  # changes by half an hour
    "America/Sao_Paulo",
    "Asia/Beirut",
]
"""Zones of odd changes: cronsim errs there by a tick or two where a star meets the change."""
FIRST, LAST = datetime(2005, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)


@cache
def changes(zone: str) -> tuple[datetime, ...]:
    """Return the moments, to the minute, from which a zone's clocks are put to another offset."""
    return tuple(_changes(ZoneInfo(zone)))


def _changes(zone: ZoneInfo) -> Iterator[datetime]:
    day = timedelta(days=1)
    moment = FIRST
    while moment < LAST:
        if _offset(moment, zone) != _offset(moment + day, zone):
            low, high = moment, moment + day
            while high - low > MINUTE:
                middle = low + timedelta(minutes=(high - low) // MINUTE // 2)
                if _offset(middle, zone) == _offset(low, zone):
                    low = middle
                else:
                    high = middle
            yield high
        moment += day


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


# -- the walk


@dataclass(frozen=True, slots=True)
class Walker:
    """An expression as sets of numbers, which looks at every minute there is."""

    text: str
    sets: tuple[frozenset[int], ...]
    years: frozenset[int] | None

    @property
    def is_wild(self) -> bool:
        """Whether minute or hour has a star: such a job runs by real time, others by the clock."""
        return any(field.startswith("*") for field in self._fields()[1:3])

    def due(self, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Yield what is due from `start`, a whole minute, up to before `end`."""
        moment = start
        while moment < end:
            wall = moment.astimezone(zone).replace(tzinfo=None)
            if not self.is_wild and any(map(self._fits, _skipped(moment, zone))):
                yield moment  # the skipped time's job, right after
            if self._fits(wall.replace(fold=0)) and (self.is_wild or not wall.fold):
                yield from (moment + second * SECOND for second in sorted(self.sets[0]))
            moment += MINUTE

    def _fits(self, wall: datetime) -> bool:
        _, minutes, hours, days, months, weekdays = self.sets
        fields = self._fields()
        day, weekday = wall.day in days, (wall.weekday() + 1) % 7 in weekdays
        is_both = fields[3].startswith("*") or fields[5].startswith("*")
        return (
            wall.minute in minutes
            and wall.hour in hours
            and wall.month in months
            and ((day and weekday) if is_both else (day or weekday))
            and (self.years is None or wall.year in self.years)
        )

    def _fields(self) -> list[str]:
        fields = self.text.split()
        return ["0", *fields] if len(fields) == 5 else fields[:6]


def _skipped(moment: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the wall clock's minutes that never were, between `moment` and the minute before."""
    jump = _offset(moment, zone) - _offset(moment - MINUTE, zone)
    wall = moment.astimezone(zone).replace(tzinfo=None, fold=0) - jump
    for _ in range(max(jump // MINUTE, 0)):
        yield wall
        wall += MINUTE


def near(walker: Walker, moment: datetime, zone: ZoneInfo, hours: int) -> list[datetime]:
    """Return what is due within so many hours of a moment, each once."""
    middle = moment.replace(second=0, microsecond=0)
    span = timedelta(hours=hours)
    return sorted(set(walker.due(middle - span, middle + span, zone)))


# -- any expression, zone and moment


@st.composite
def fields(draw: st.DrawFn, whole: range, near_low: int, stars: bool) -> tuple[str, frozenset[int]]:
    """Draw one field; its numbers tend to be low, as changes of clocks are in the early hours."""
    low, high = whole.start, whole.stop - 1
    first, last = sorted(draw(st.integers(low, min(near_low, high))) for _ in range(2))
    step = draw(st.integers(2, 9))
    kinds: list[tuple[str, range | set[int]]] = [
        (f"{first}", {first}),
        (f"{first},{last}", {first, last}),
        (f"{first}-{last}", range(first, last + 1)),
        (f"{low}-{high}/{step}", whole[::step]),
        (f"{first}/{step}", range(first, high + 1, step)) if last != first else (f"{last}", {last}),
    ]
    if stars:
        kinds += [("*", whole), ("*", whole), (f"*/{step}", whole[::step])]
    text, numbers = draw(st.sampled_from(kinds))
    return text, frozenset(numbers)


def weekdays() -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """Draw the days of the week, of which both 0 and 7 are Sunday."""
    drawn = fields(range(8), 6, True)
    return drawn.map(lambda field: (field[0], frozenset(number % 7 for number in field[1])))


@st.composite
def walkers(draw: st.DrawFn, stars: bool) -> Walker:
    """Draw an expression of 5, 6 or 7 fields that is due every now and then."""
    any_day = [("*", frozenset(each)) for each in WHOLE]
    second = draw(fields(WHOLE[0], 59, True))
    parts = [
        draw(fields(WHOLE[1], 59, stars)),
        draw(fields(WHOLE[2], 4, stars)),
        draw(st.just(any_day[3]) | fields(WHOLE[3], 31, True)),
        draw(st.just(any_day[4])),
        draw(st.just(any_day[5]) | weekdays()),
    ]
    count = draw(st.sampled_from([5, 6, 7]))
    if count == 5:
        second = ("0", frozenset({0}))
    else:
        parts.insert(0, second)
    sets = tuple(numbers for _, numbers in (parts if count > 5 else [second, *parts]))
    text = " ".join(each for each, _ in parts)
    years = frozenset(draw(st.sets(st.integers(2005, 2035), min_size=1))) if count == 7 else None
    if years:
        text += " " + ",".join(map(str, sorted(years)))
    return Walker(text, sets, years)


@st.composite
def moments(draw: st.DrawFn, zone: str) -> datetime:
    """Draw a moment: near a change of the zone's clocks, if it has any, or of a year, or any."""
    edges = [*changes(zone), *(datetime(year, 1, 1, tzinfo=UTC) for year in (2010, 2024, 2035))]
    if draw(st.integers(1, 5)) == 1:
        return FIRST + draw(st.integers(0, (LAST - FIRST) // SECOND)) * SECOND
    return draw(st.sampled_from(edges)) + draw(st.integers(-4 * 3600, 4 * 3600)) * SECOND


@st.composite
def cases(draw: st.DrawFn) -> tuple[Walker, str, datetime]:
    wild = draw(st.booleans())
    zone = draw(st.sampled_from(ZONES[:-1] if wild else [*ZONES, *FIXED_ONLY]))
    return draw(walkers(wild)), zone, draw(moments(zone))


@settings(max_examples=200)
@given(cases())
def test_the_times_around_any_moment_are_those_that_a_walk_finds(
    case: tuple[Walker, str, datetime],
) -> None:
    walker, name, moment = case
    zone, expression = ZoneInfo(name), CronExpression.parse(walker.text)
    found = near(walker, moment, zone, hours=8)
    earlier = [each for each in found if each <= moment]
    later = [each for each in found if each > moment]
    if later:
        assert expression.after(moment, zone) == later[0]
    if earlier:
        assert expression.latest(moment, zone) == earlier[-1]
    for one, other in pairwise(later[:20]):
        assert expression.after(one, zone) == other
        assert expression.latest(other - SECOND, zone) == one


def test_the_walk_has_changes_of_both_directions_to_look_at() -> None:
    assert changes("UTC") == changes("Asia/Kolkata") == ()
    for zone in ("Europe/Berlin", "America/New_York", "Australia/Sydney"):
        forth = {_offset(each, ZoneInfo(zone)) for each in changes(zone)}
        assert len(forth) == 2
        assert len(changes(zone)) == 62


# -- by hand, so that the walk itself is known to be right


@pytest.mark.parametrize(
    ("walker", "start", "expected"),
    [
        (  # put forward: what was skipped runs right after it, once
            Walker("30 2 * * *", _sets := (frozenset({0}), frozenset({30}), frozenset({2}),
                   *(frozenset(each) for each in WHOLE[3:])), None),
            datetime(2026, 3, 29, 0, tzinfo=UTC),
            ["01:00:00"],
        ),
        (  # put back: once, the first time
            Walker("30 2 * * *", _sets, None),
            datetime(2026, 10, 25, 0, tzinfo=UTC),
            ["00:30:00"],
        ),
        (  # put back, with a star: each real time
            Walker("30 * * * *", (*_sets[:2], frozenset(range(24)), *_sets[3:]), None),
            datetime(2026, 10, 25, 0, tzinfo=UTC),
            ["00:30:00", "01:30:00", "02:30:00"],
        ),
    ],
)  # fmt: skip
def test_the_walk_keeps_debian_crons_rules(
    walker: Walker, start: datetime, expected: list[str]
) -> None:
    found = walker.due(start, start + timedelta(hours=3), ZoneInfo("Europe/Berlin"))
    assert [f"{each:%H:%M:%S}" for each in found] == expected


# -- beat's view: a tick is due once, whatever the moments at which beat looks


def test_however_seldom_beat_looks_no_tick_is_due_twice() -> None:
    dice, zone = random.Random(7), ZoneInfo("Europe/Berlin")
    expression = CronExpression.parse("*/20 */5 2 * * *")
    for change in changes("Europe/Berlin")[:6]:
        moment, ran = change - timedelta(hours=5), []
        last = moment
        while moment < change + timedelta(hours=5):
            due = expression.latest(moment, zone)
            if due is not None and due > last:
                ran.append(due)
                last = moment
            moment += dice.uniform(0.1, 400) * SECOND
        assert len(ran) == len(set(ran))
