"""The cron trigger, against an independent calculation that looks at every minute there is."""

from __future__ import annotations

import calendar
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from motia_django import cron
from motia_django.triggers.cron import NAMED, CronExpression, CronTrigger
from tests.declared import good, wrong

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)

parse = CronExpression.parse


def utc(*parts: int) -> datetime:
    """Return a moment in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def due(text: str, zone: ZoneInfo, start: datetime, count: int) -> list[str]:
    """Return the next times that are due, as UTC text."""
    found = []
    moment: datetime | None = start
    for _ in range(count):
        assert moment is not None
        moment = parse(text).after(moment, zone)
        found.append(moment.strftime("%Y-%m-%d %H:%M:%S") if moment else "never")
    return found


# -- the independent calculation: Debian cron's rules, minute by minute


@dataclass(frozen=True)
class Brute:
    """A five-field expression as sets of numbers."""

    text: str
    minutes: frozenset[int] = field(repr=False)
    hours: frozenset[int] = field(repr=False)
    days: frozenset[int] = field(repr=False)
    months: frozenset[int] = field(repr=False)
    weekdays: frozenset[int] = field(repr=False)

    def shows(self, wall: datetime) -> bool:
        """Return whether a clock that shows `wall` shows a due time."""
        fields = self.text.split()
        day, weekday = wall.day in self.days, (wall.weekday() + 1) % 7 in self.weekdays
        both = fields[2].startswith("*") or fields[4].startswith("*")
        return (
            wall.minute in self.minutes
            and wall.hour in self.hours
            and wall.month in self.months
            and ((day and weekday) if both else (day or weekday))
        )

    def times(self, start: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
        """Return all that is due from `start` up to before `end`, whole minutes in UTC."""
        wildcard = any(field.startswith("*") for field in self.text.split()[:2])
        found = set()
        moment = start
        while moment < end:
            wall = moment.astimezone(zone).replace(tzinfo=None)
            if wildcard:
                candidates = [wall]
            else:
                candidates = [] if wall.fold else [wall, *_skipped_before(moment, zone)]
            if any(self.shows(each.replace(fold=0)) for each in candidates):
                found.add(moment)
            moment += MINUTE
        return sorted(found)


def _skipped_before(moment: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the wall minutes that clocks skip on their way to `moment`."""
    now = moment.astimezone(zone).replace(tzinfo=None, fold=0)
    wall = (moment - MINUTE).astimezone(zone).replace(tzinfo=None, fold=0) + MINUTE
    while wall < now:
        yield wall
        wall += MINUTE


@st.composite
def fields(
    draw: st.DrawFn, low: int, high: int, stars: int, last_of_all: int
) -> tuple[str, frozenset[int]]:
    """Draw a field and the numbers it stands for; `stars` in ten are a star."""
    whole = range(low, last_of_all + 1)
    if draw(st.integers(1, 10)) <= stars:
        return "*", frozenset(whole)
    first, last = sorted((draw(st.integers(low, high)), draw(st.integers(low, high))))
    step = draw(st.integers(1, 12))
    kinds: list[tuple[str, Any]] = [
        (f"{first}", {first}),
        (f"{first}-{last}", range(first, last + 1)),
        (f"{first}-{last}/{step}" if first < last else f"{first}", range(first, last + 1, step)),
        (f"{last},{first}", {first, last}),
    ]
    if stars:
        kinds.append((f"*/{step}", whole[::step]))
    text, numbers = draw(st.sampled_from(kinds))
    return text, frozenset(numbers)


@st.composite
def expressions(draw: st.DrawFn, stars: tuple[int, int] = (2, 3)) -> Brute:
    """Draw a five-field expression that is due now and then around a change of the clocks."""
    drawn = [
        draw(fields(0, 59, stars[0], 59)),
        draw(fields(0, 4, stars[1], 23)),
        draw(fields(1, 31, 8, 31)),
        draw(fields(1, 12, 9, 12)),
        draw(fields(0, 6, 8, 6)),
    ]
    return Brute(" ".join(text for text, _ in drawn), *(numbers for _, numbers in drawn))


CHANGES = [
    (BERLIN, utc(2026, 3, 29, 1)),
    (BERLIN, utc(2026, 10, 25, 1)),
    (NEW_YORK, utc(2026, 3, 8, 7)),
    (NEW_YORK, utc(2026, 11, 1, 6)),
    (ZoneInfo("UTC"), utc(2026, 2, 28, 23)),
    (ZoneInfo("Asia/Kolkata"), utc(2027, 1, 1)),
]
ODD_CHANGES = [
    (ZoneInfo("Australia/Lord_Howe"), utc(2026, 4, 4, 15)),  # by half an hour
    (ZoneInfo("Australia/Lord_Howe"), utc(2026, 10, 3, 15, 30)),
    (ZoneInfo("Africa/Cairo"), utc(2026, 4, 23, 22)),  # at midnight
    (ZoneInfo("Africa/Cairo"), utc(2026, 10, 29, 21)),
    (ZoneInfo("America/Havana"), utc(2026, 3, 8, 5)),
    (ZoneInfo("America/Havana"), utc(2026, 11, 1, 5)),
]
"""Here fixed times are right; cronsim errs by a tick or two where a star meets such a change."""
CASES = st.tuples(expressions(), st.sampled_from(CHANGES)) | st.tuples(
    expressions(stars=(0, 0)), st.sampled_from(ODD_CHANGES)
)
FIXED = partial(Brute, days=frozenset(range(1, 32)), months=frozenset(range(1, 13)),
                weekdays=frozenset(range(7)))  # fmt: skip
HALF_PAST_TWO = FIXED("30 2 * * *", frozenset({30}), frozenset({2}))
EVERY_HOUR = FIXED("0 * * * *", frozenset({0}), frozenset(range(24)))


@settings(max_examples=150, deadline=None)
@given(CASES)
@example((HALF_PAST_TWO, CHANGES[0]))
@example((HALF_PAST_TWO, CHANGES[1]))
@example((EVERY_HOUR, CHANGES[3]))
def test_what_is_due_around_a_change_of_the_clocks_is_what_looking_at_each_minute_finds(
    case: tuple[Brute, tuple[ZoneInfo, datetime]],
) -> None:
    brute, (zone, moment) = case
    start, end = moment - timedelta(hours=10), moment + timedelta(hours=10)
    expected = brute.times(start, end, zone)
    assert _forward(parse(brute.text), start - SECOND, end, zone) == expected
    assert _backward(parse(brute.text), end - SECOND, start, zone) == expected[::-1]


@settings(max_examples=150, deadline=None)
@given(CASES, st.integers(-36_000, 36_000))
def test_after_and_latest_are_the_neighbours_of_any_moment(
    case: tuple[Brute, tuple[ZoneInfo, datetime]], seconds: int
) -> None:
    brute, (zone, middle) = case
    moment = middle + timedelta(seconds=seconds)
    expression = parse(brute.text)
    after, latest = expression.after(moment, zone), expression.latest(moment, zone)
    expected = brute.times(middle - timedelta(hours=14), middle + timedelta(hours=14), zone)
    earlier = [each for each in expected if each <= moment]
    later = [each for each in expected if each > moment]
    if later:
        assert after == later[0]
    if earlier:
        assert latest == earlier[-1]
    assert after is None or expression.latest(after, zone) == after
    assert latest is None or (expression.after(latest - SECOND, zone) == latest)


def _forward(
    expression: CronExpression, moment: datetime, end: datetime, zone: ZoneInfo
) -> list[datetime]:
    found: list[datetime] = []
    while (each := expression.after(found[-1] if found else moment, zone)) and each < end:
        found.append(each)
    return found


def _backward(
    expression: CronExpression, moment: datetime, start: datetime, zone: ZoneInfo
) -> list[datetime]:
    found: list[datetime] = []
    while each := expression.latest(found[-1] - SECOND if found else moment, zone):
        if each < start:
            break
        found.append(each)
    return found


# -- the rules, spelled out


@pytest.mark.parametrize(
    ("text", "zone", "start", "expected"),
    [
        # a fixed time in the skipped hour runs right after it
        ("30 2 * * *", BERLIN, utc(2026, 3, 28, 12), ["03-29 01:00:00", "03-30 00:30:00"]),
        ("30 2 * * *", NEW_YORK, utc(2026, 3, 8, 0), ["03-08 07:00:00", "03-09 06:30:00"]),
        # one in the repeated hour runs once, the first time
        ("30 2 * * *", BERLIN, utc(2026, 10, 24, 12), ["10-25 00:30:00", "10-26 01:30:00"]),
        ("30 1 * * *", NEW_YORK, utc(2026, 11, 1, 0), ["11-01 05:30:00", "11-02 06:30:00"]),
        # a wildcard hour runs each real hour
        ("0 * * * *", BERLIN, utc(2026, 10, 24, 23, 30), ["10-25 00:00:00", "10-25 01:00:00",
                                                          "10-25 02:00:00"]),
        ("0 * * * *", BERLIN, utc(2026, 3, 29, 0, 30), ["03-29 01:00:00", "03-29 02:00:00"]),
        # and so does what is written with seconds, or with a year
        ("0 30 2 * * *", BERLIN, utc(2026, 3, 28, 12), ["03-29 01:00:00", "03-30 00:30:00"]),
        ("0 30 2 * * *", BERLIN, utc(2026, 10, 24, 12), ["10-25 00:30:00", "10-26 01:30:00"]),
        ("0 30 2 * * * *", BERLIN, utc(2026, 10, 24, 12), ["10-25 00:30:00", "10-26 01:30:00"]),
        ("15,45 30 2 * * *", BERLIN, utc(2026, 3, 28, 12), ["03-29 01:00:00", "03-30 00:30:15"]),
    ],
)  # fmt: skip
def test_debian_crons_rules_hold_when_the_clocks_change(
    text: str, zone: ZoneInfo, start: datetime, expected: list[str]
) -> None:
    assert [each[5:] for each in due(text, zone, start, len(expected))] == expected


@pytest.mark.parametrize("minute", range(0, 60, 7))
def test_within_the_repeated_hour_nothing_is_due_again_and_nothing_is_forgotten(
    minute: int,
) -> None:
    second_time = utc(2026, 10, 25, 1, minute)
    expression = parse("30 2 * * *")
    assert expression.after(second_time, BERLIN) == utc(2026, 10, 26, 1, 30)
    assert expression.latest(second_time, BERLIN) == utc(2026, 10, 25, 0, 30)


@pytest.mark.parametrize("text", ["* * * * *", "30 2 * * *", "*/7 * * * * *", "0 0 29 2 *"])
def test_the_moment_may_be_given_in_any_zone(text: str) -> None:
    expression, moment = parse(text), utc(2026, 10, 25, 0, 59, 59)
    for zone in (BERLIN, NEW_YORK, timezone(timedelta(hours=13, minutes=45))):
        local = moment.astimezone(zone)
        assert expression.after(local, BERLIN) == expression.after(moment, BERLIN)
        assert expression.latest(local, BERLIN) == expression.latest(moment, BERLIN)


def test_latest_counts_the_moment_itself_and_after_does_not() -> None:
    expression, moment = parse("0 * * * *"), utc(2026, 1, 1, 12)
    fraction = timedelta(microseconds=1)
    assert expression.latest(moment, UTC) == moment
    assert expression.latest(moment + fraction, UTC) == moment
    assert expression.latest(moment - fraction, UTC) == utc(2026, 1, 1, 11)
    assert expression.after(moment, UTC) == utc(2026, 1, 1, 13)
    assert expression.after(moment - fraction, UTC) == moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 9 * * 1", "2026-03-09 09:00:00"),
        ("0 9 * * MON", "2026-03-09 09:00:00"),
        ("0 9 * * mon-fri", "2026-03-05 09:00:00"),
        ("0 9 * * 0", "2026-03-08 09:00:00"),
        ("0 9 * * 7", "2026-03-08 09:00:00"),
        ("0 9 * * sun", "2026-03-08 09:00:00"),
        ("0 9 1 jan *", "2027-01-01 09:00:00"),
        ("0 9 13 * 5", "2026-03-06 09:00:00"),
        ("*/10 * * * *", "2026-03-04 12:10:00"),
        ("0 */6 * * *", "2026-03-04 18:00:00"),
        ("*/10 * * * * *", "2026-03-04 12:00:10"),
        ("30 0 * * * *", "2026-03-04 12:00:30"),
        ("0 0 9 * * * 2028", "2028-01-01 09:00:00"),
        ("0 0 9 * * * *", "2026-03-05 09:00:00"),
        ("0 0 0 29 2 * 2027-2040", "2028-02-29 00:00:00"),
        ("  0   9  *\t* *  ", "2026-03-05 09:00:00"),
        ("@yearly", "2027-01-01 00:00:00"),
        ("@annually", "2027-01-01 00:00:00"),
        ("@monthly", "2026-04-01 00:00:00"),
        ("@weekly", "2026-03-08 00:00:00"),
        ("@daily", "2026-03-05 00:00:00"),
        ("@midnight", "2026-03-05 00:00:00"),
        ("@hourly", "2026-03-04 13:00:00"),
    ],
)  # fmt: skip
def test_fields_and_names_mean_what_they_do_everywhere(text: str, expected: str) -> None:
    assert due(text, ZoneInfo("UTC"), utc(2026, 3, 4, 12), 1) == [expected]


@pytest.mark.parametrize(
    "text",
    ["", "*", "1,,2 * * * *", "* * * *", "* * * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *",
     "* * 32 * *",
     "* * * 13 *", "* * * * 8", "a * * * *", "-1 * * * *", "*/0 * * * *", "5-1 * * * *",
     "* * 31 2 *", "* * * foo *", "1.5 * * * *", "@reboot", "@hourlyy", "@", "60 * * * * *",
     "* * * * * * 1969", "* * * * * * 2100", "* * * * * * x", "* * * * * * 2030-2020",
     "* * * * * * */0", "* * * * * * 2030,", "* * * * * * 0-99999999999", "* * * * * * -5",
     "² * * * *", "\ud800 * * * *"],
)  # fmt: skip
def test_what_is_no_expression_is_a_problem_that_says_what_is_one(text: str) -> None:
    message = wrong({"type": "cron", "schedule": text})
    assert "expected a cron expression of 5, 6 (seconds first) or 7 (year last) fields" in message


@pytest.mark.parametrize("value", [None, 5, [], {"hour": 5}, b"* * * * *"])
def test_what_is_no_text_is_no_expression(value: Any) -> None:
    assert "config.schedule: expected a cron" in wrong({"type": "cron", "schedule": value})


def test_a_misspelt_name_is_a_problem_with_the_nearest() -> None:
    assert "Did you mean '@hourly'?" in wrong({"type": "cron", "schedule": "@hourl"})
    assert "Did you mean '@hourly'?" in wrong({"type": "cron", "schedule": "@HOURLY"})
    assert all(parse(name) for name in NAMED)


@pytest.mark.parametrize(
    ("years", "expected"),
    [
        ("2027", [2027]),
        ("2027,2030", [2027, 2030]),
        ("2027-2029", [2027, 2028, 2029]),
        ("2027-2033/3", [2027, 2030, 2033]),
        ("*/40", [2050, 2090]),
        ("2098/1", [2098, 2099]),
        ("2020,2030", [2030]),
        ("1970", []),
    ],
)
def test_years_are_single_lists_ranges_and_steps(years: str, expected: list[int]) -> None:
    expression = parse(f"0 0 0 1 1 * {years}")
    found: list[int] = []
    moment = utc(2026, 6, 1)
    while after := expression.after(moment, BERLIN):
        found.append(after.astimezone(BERLIN).year)
        moment = after
    assert found == expected
    again: list[int] = []
    moment = utc(2150, 1, 1)
    while (latest := expression.latest(moment, BERLIN)) and latest > utc(2026, 6, 1):
        again.append(latest.astimezone(BERLIN).year)
        moment = latest - SECOND
    assert again == expected[::-1]


def test_what_never_comes_is_never_found_and_not_waited_for() -> None:
    assert parse("0 0 0 29 2 * 2027").after(utc(2026, 1, 1), BERLIN) is None
    assert parse("0 0 0 1 1 * 2027").latest(utc(2026, 1, 1), BERLIN) is None


def test_a_leap_day_on_a_certain_weekday_is_found() -> None:
    found = parse("0 0 29 2 */7").after(utc(2026, 1, 1), UTC)
    assert found is not None
    assert (found.month, found.day, calendar.weekday(found.year, 2, 29)) == (2, 29, 6)


# -- the trigger


@pytest.mark.parametrize("key", ["schedule", "expression", "cron"])
def test_the_schedule_answers_to_the_names_of_all_dialects(key: str) -> None:
    assert good({"type": "cron", key: "0 * * * *"}).source == "0 * * * *"


def test_two_of_the_names_are_a_problem() -> None:
    text = wrong({"type": "cron", "schedule": "0 * * * *", "cron": "1 * * * *"})
    assert "'schedule' and 'cron'" in text


def test_the_time_zone_is_read() -> None:
    assert good(cron("0 * * * *", timezone="Europe/Berlin")).timezone == BERLIN
    assert good(cron("0 * * * *")).timezone is None


@pytest.mark.parametrize("zone", ["Berlin", "", "../etc/passwd", "/etc/passwd", 5, "A" * 5000,
                                  "Europe", "Europe/Berlin\x00", "\ud800", []])  # fmt: skip
def test_what_is_no_time_zone_is_a_problem(zone: Any) -> None:
    text = wrong({"type": "cron", "schedule": "@daily", "timezone": zone})
    assert 'config.timezone: expected a time zone such as "Europe/Berlin"' in text


def test_overlap_and_catch_up_are_read_in_either_spelling() -> None:
    assert (good(cron("@daily")).overlap, good(cron("@daily")).catch_up) == ("allow", False)
    declared = {"type": "cron", "schedule": "@daily", "overlap": "Skip"}
    assert good(declared).overlap == "skip"
    for key in ("catchUp", "catch_up"):
        assert good({**declared, key: True}).catch_up is True


def test_what_overlap_and_catch_up_do_not_take_is_a_problem() -> None:
    text = wrong({"type": "cron", "schedule": "@daily", "overlap": "skp"})
    assert "overlap: expected one of allow, skip (did you mean 'skip'?), got 'skp'" in text
    text = wrong({"type": "cron", "schedule": "@daily", "catchUp": "yes"})
    assert "catchUp: expected True or False, got 'yes'" in text


def test_a_tick_keeps_when_it_was_due_and_gives_its_handler_none() -> None:
    trigger = good(cron("@hourly"))
    stored = CronTrigger.input_at(utc(2026, 3, 4, 10))
    assert trigger.scheduled_time(stored) == utc(2026, 3, 4, 10)
    assert trigger.clean_input(stored, "Step 'A'") is None


def test_a_tick_was_due_by_the_clocks_of_the_schedules_own_zone() -> None:
    trigger = good(cron("0 0 * * *", timezone="Pacific/Auckland"))
    due = trigger.scheduled_time(CronTrigger.input_at(utc(2026, 3, 4, 11)))
    assert due == utc(2026, 3, 4, 11)
    assert due.isoformat() == "2026-03-05T00:00:00+13:00"


@pytest.mark.parametrize(
    "raw", [None, {}, {"a": 1}, {"scheduledTime": 5}, {"scheduledTime": "x"}, [], 5, "x"]
)
def test_an_invocation_with_any_input_was_due_at_no_time(raw: Any) -> None:
    trigger = good(cron("@hourly"))
    assert trigger.scheduled_time(raw) is None
    assert trigger.clean_input(raw, "Step 'A'") is None


def test_the_helper_declares_the_same() -> None:
    condition: Callable[..., bool] = bool.__and__
    declared = cron("@hourly", timezone="UTC", config={"maxRetries": 1})
    assert declared == {
        "type": "cron", "schedule": "@hourly", "timezone": "UTC", "config": {"maxRetries": 1}
    }  # fmt: skip
    assert cron("@hourly", condition=condition)["condition"] is condition
    assert good(cron("@hourly", overlap="skip", catch_up=True)).catch_up
    assert cron("@hourly") == {"type": "cron", "schedule": "@hourly"}


def test_random_moments_over_a_century_keep_after_and_latest_apart() -> None:
    dice = random.Random(5)
    for text in ("*/13 */5 * * *", "7 3 * * 1-5", "59 23 31 12 *", "1 2 3 4 5 *"):
        for _ in range(50):
            moment = utc(1971, 1, 1) + timedelta(seconds=dice.randrange(100 * 365 * 86_400))
            after, latest = parse(text).after(moment, BERLIN), parse(text).latest(moment, BERLIN)
            assert after is not None
            assert latest is not None
            assert latest <= moment < after
            assert parse(text).after(latest, BERLIN) == after
            assert parse(text).latest(after - SECOND, BERLIN) == latest
