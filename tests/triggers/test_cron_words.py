"""What a schedule says, in the reader's language."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from cronsim import CronSim
from hypothesis import example, given
from hypothesis import strategies as st

from motia_django.triggers.cron import CronExpression
from motia_django.triggers.cron_words import PHRASES, WORDS, plainer, translated
from tests.catalogs import spoken

SECONDS = ["0", "*", "30", "*/10", "1,2,3,4,5", "5-9", "5-9,30"]
MINUTES = ["*", "0", "5", "*/2", "*/15", "1,2,3", "10-20", "10-20/3", "5,10-20,50", "7,8"]
HOURS = ["*", "0", "3", "*/2", "9-17", "9-17/2", "1,5,7,9,11", "8,9", "1,10-12"]
DAYS = ["*", "1", "15", "1,15", "L", "LW", "1-7", "*/3", "1,10-12", "2,L", "31"]
MONTHS = ["*", "1", "JAN,FEB", "3-6", "*/2", "1,5-8", "12"]
WEEKDAYS = ["*", "MON", "1-5", "MON#2", "5L", "SAT,SUN", "1,3,5", "*/2", "1-5/2"]
PLACEHOLDER = re.compile(r"%\(\w+\)s")
FIELDS = [SECONDS, MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS]


def english(fields: tuple[str, ...]) -> str:
    return CronSim(" ".join(fields), datetime(2024, 1, 1)).explain()


@given(st.tuples(*map(st.sampled_from, FIELDS)))
@example(("0", "0", "3", "*", "*", "1-5"))
def test_in_english_it_stays_as_it_is(fields: tuple[str, ...]) -> None:
    assert translated(english(fields)) == english(fields)
    assert translated(plainer(english(fields))) == plainer(english(fields))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("*/15 * * * * *", "Every 15 seconds"),
        ("*/2 * * * * *", "Every 2 seconds"),
        ("*/7 * * * * *", "Every seventh second of every minute"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("*/59 * * * *", "Every 59th minute of every hour"),
        ("*/10 * * * MON", "Every 10 minutes on Monday"),
        ("0 */2 * * *", "Every 2 hours"),
        ("0 */12 * * 1-5", "Every 12 hours on Monday through Friday"),
        ("0 */5 * * *", "At minute 0 past every fifth hour"),
        ("30 */2 * * *", "At minute 30 past every second hour"),
        ("*/15 9-17 * * *", "Every 15th minute from 09:00 through 17:59"),
        ("5/15 * * * *", "Every 15th minute from 5 through 59 of every hour"),
    ],
)
def test_what_comes_at_even_intervals_is_said_so(text: str, told: str) -> None:
    assert CronExpression.parse(text).words == told


def test_no_english_is_left_in_another_language_whatever_the_schedule(tmp_path: Path) -> None:
    keys = [str(text) for text in [*PHRASES.values(), *WORDS.values()]]
    texts = {f"schedule|{key}": f"<{''.join(PLACEHOLDER.findall(key))}>" for key in keys}
    with spoken(tmp_path, {**texts, "schedule|%sth": "%s."}):
        for position, values in enumerate(FIELDS):
            for value in values:
                fields = ["0", "5", "3", "*", "*", "*"]
                fields[position] = value
                told = translated(plainer(english(tuple(fields))))
                assert not re.search("[A-Za-z]", told), fields


GERMAN = {
    "schedule|at": "um",
    "schedule|on": "am",
    "schedule|%(first)s through %(last)s": "%(first)s bis %(last)s",
    "schedule|Monday": "Montag",
    "schedule|Friday": "Freitag",
    "schedule|every %(number)s minutes": "alle %(number)s Minuten",
    "%(schedule)s in %(years)s": "%(schedule)s, im Jahr %(years)s",
}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0 3 * * 1-5", "Um 03:00 am Montag bis Freitag"),
        ("*/15 * * * *", "Alle 15 Minuten"),
        ("0 0 3 * * 1-5 2030", "Um 03:00 am Montag bis Freitag, im Jahr 2030"),
    ],
)
def test_it_is_told_in_the_readers_language(tmp_path: Path, text: str, told: str) -> None:
    with spoken(tmp_path, GERMAN):
        assert CronExpression.parse(text).words == told
    assert "at" in CronExpression.parse("0 3 * * *").words.lower()


def test_what_is_not_known_stays_english() -> None:
    assert translated("At full moon") == "At full moon"
    assert translated("") == ""
