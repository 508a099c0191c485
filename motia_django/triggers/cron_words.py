"""What a schedule says, in the reader's language: cronsim's English, phrase by phrase."""

from __future__ import annotations

import re

from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy

_TIME = r"\d\d:\d\d(?::\d\d)?"
_NTH = r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|last|\d+th)"
_DAYS = {
    "Sunday": pgettext_lazy("schedule", "Sunday"),
    "Monday": pgettext_lazy("schedule", "Monday"),
    "Tuesday": pgettext_lazy("schedule", "Tuesday"),
    "Wednesday": pgettext_lazy("schedule", "Wednesday"),
    "Thursday": pgettext_lazy("schedule", "Thursday"),
    "Friday": pgettext_lazy("schedule", "Friday"),
    "Saturday": pgettext_lazy("schedule", "Saturday"),
}
_MONTHS = {
    "January": pgettext_lazy("schedule", "January"),
    "February": pgettext_lazy("schedule", "February"),
    "March": pgettext_lazy("schedule", "March"),
    "April": pgettext_lazy("schedule", "April"),
    "May": pgettext_lazy("schedule", "May"),
    "June": pgettext_lazy("schedule", "June"),
    "July": pgettext_lazy("schedule", "July"),
    "August": pgettext_lazy("schedule", "August"),
    "September": pgettext_lazy("schedule", "September"),
    "October": pgettext_lazy("schedule", "October"),
    "November": pgettext_lazy("schedule", "November"),
    "December": pgettext_lazy("schedule", "December"),
}
_ORDINALS = {
    "first": pgettext_lazy("schedule", "first"),
    "second": pgettext_lazy("schedule", "second"),
    "third": pgettext_lazy("schedule", "third"),
    "fourth": pgettext_lazy("schedule", "fourth"),
    "fifth": pgettext_lazy("schedule", "fifth"),
    "sixth": pgettext_lazy("schedule", "sixth"),
    "seventh": pgettext_lazy("schedule", "seventh"),
    "eighth": pgettext_lazy("schedule", "eighth"),
    "ninth": pgettext_lazy("schedule", "ninth"),
    "last": pgettext_lazy("schedule", "last"),
}
WORDS = {**_DAYS, **_MONTHS, **_ORDINALS}
_NAME = "|".join([*_DAYS, *_MONTHS])
_DAY, _MONTH = "|".join(_DAYS), "|".join(_MONTHS)

PHRASES: dict[str, Promise] = {
    "at the start of every hour": pgettext_lazy("schedule", "at the start of every hour"),
    "of every hour": pgettext_lazy("schedule", "of every hour"),
    "of every minute": pgettext_lazy("schedule", "of every minute"),
    "every second": pgettext_lazy("schedule", "every second"),
    "every minute": pgettext_lazy("schedule", "every minute"),
    "every hour": pgettext_lazy("schedule", "every hour"),
    "every day of month": pgettext_lazy("schedule", "every day of month"),
    "every day of week": pgettext_lazy("schedule", "every day of week"),
    "every month": pgettext_lazy("schedule", "every month"),
    "every day": pgettext_lazy("schedule", "every day"),
    f"every (?P<nth>{_NTH}) second": pgettext_lazy("schedule", "every %(nth)s second"),
    f"every (?P<nth>{_NTH}) minute": pgettext_lazy("schedule", "every %(nth)s minute"),
    f"every (?P<nth>{_NTH}) hour": pgettext_lazy("schedule", "every %(nth)s hour"),
    f"every (?P<nth>{_NTH}) day of month": pgettext_lazy("schedule", "every %(nth)s day of month"),
    f"every (?P<nth>{_NTH}) day of week": pgettext_lazy("schedule", "every %(nth)s day of week"),
    f"every (?P<nth>{_NTH}) month": pgettext_lazy("schedule", "every %(nth)s month"),
    r"every (?P<number>\d+) seconds": pgettext_lazy("schedule", "every %(number)s seconds"),
    r"every (?P<number>\d+) minutes": pgettext_lazy("schedule", "every %(number)s minutes"),
    r"every (?P<number>\d+) hours": pgettext_lazy("schedule", "every %(number)s hours"),
    rf"from (?P<first>{_TIME}|\d+|{_NAME}) through (?P<last>{_TIME}|\d+|{_NAME})": pgettext_lazy(
        "schedule", "from %(first)s through %(last)s"
    ),
    f"(?P<first>{_DAY}) through (?P<last>{_DAY})": pgettext_lazy(
        "schedule", "%(first)s through %(last)s"
    ),
    r"seconds (?P<number>\d+)": pgettext_lazy("schedule", "seconds %(number)s"),
    r"minutes (?P<number>\d+)": pgettext_lazy("schedule", "minutes %(number)s"),
    r"hours (?P<number>\d+)": pgettext_lazy("schedule", "hours %(number)s"),
    r"second (?P<number>\d+)": pgettext_lazy("schedule", "second %(number)s"),
    r"minute (?P<number>\d+)": pgettext_lazy("schedule", "minute %(number)s"),
    r"hour (?P<number>\d+)": pgettext_lazy("schedule", "hour %(number)s"),
    "the last day of the month": pgettext_lazy("schedule", "the last day of the month"),
    "the last weekday of the month": pgettext_lazy("schedule", "the last weekday of the month"),
    f"the (?P<nth>{_NTH}) (?P<day>{_DAY}) of the month": pgettext_lazy(
        "schedule", "the %(nth)s %(day)s of the month"
    ),
    "the last day of": pgettext_lazy("schedule", "the last day of"),
    "the last weekday of": pgettext_lazy("schedule", "the last weekday of"),
    f"the (?P<nth>{_NTH}) day of month": pgettext_lazy("schedule", "the %(nth)s day of month"),
    f"the (?P<nth>{_NTH}) day of": pgettext_lazy("schedule", "the %(nth)s day of"),
    f"the (?P<nth>{_NTH})": pgettext_lazy("schedule", "the %(nth)s"),
    "day of month": pgettext_lazy("schedule", "day of month"),
    rf"(?P<month>{_MONTH}) (?P<number>\d+)": pgettext_lazy("schedule", "%(month)s %(number)s"),
    f"(?P<name>{_NAME})": pgettext_lazy("schedule", "%(name)s"),
    rf"(?P<number>{_TIME}|\d+)": pgettext_lazy("schedule", "%(number)s"),
    "if it's": pgettext_lazy("schedule", "if it's"),
    "at": pgettext_lazy("schedule", "at"),
    "past": pgettext_lazy("schedule", "past"),
    "on": pgettext_lazy("schedule", "on"),
    "in": pgettext_lazy("schedule", "in"),
    ", and": pgettext_lazy("schedule", ", and"),
    ",": pgettext_lazy("schedule", ","),
    "and": pgettext_lazy("schedule", "and"),
}
_PATTERNS = [(re.compile(rf"(?:{pattern})(?![\w:])"), text) for pattern, text in PHRASES.items()]


_EVENLY = re.compile(
    rf"every ({_NTH}) (second) of every minute|every ({_NTH}) (minute) of every hour"
    rf"|at minute 0 past every ({_NTH}) (hour)",
    re.IGNORECASE,
)
_WHOLE = {"second": 60, "minute": 60, "hour": 24}


def plainer(english: str) -> str:
    """Return what cronsim says, with what comes at even intervals said so: "Every 15 seconds"."""
    found = _EVENLY.match(english)
    if found is None:
        return english
    nth, unit = (each for each in found.groups() if each)
    number = _number(nth)
    if not number or _WHOLE[unit] % number:
        return english
    return f"Every {number} {unit}s{english[found.end() :]}"


def _number(ordinal: str) -> int:
    """Return the number of `second` to `ninth` and of `15th`; 0 of `last` and `first`."""
    if ordinal.endswith("th") and ordinal[:-2].isdigit():
        return int(ordinal[:-2])
    return {word: number for number, word in enumerate(_ORDINALS, 1) if 1 < number < 10}.get(
        ordinal, 0
    )


def translated(english: str) -> str:
    """Return what cronsim says of a schedule, translated; as it is if some of it is not known."""
    rest, told = english[:1].lower() + english[1:], ""
    while rest:
        found = _next(rest)
        if found is None:
            return english
        match, text = found
        told += ("" if match[0].startswith(",") or not told else " ") + text
        rest = rest[match.end() :].lstrip()
    return told[:1].upper() + told[1:]


def _next(rest: str) -> tuple[re.Match[str], str] | None:
    """Return the longest phrase that a text begins with, and its translation."""
    matches = [(pattern.match(rest), text) for pattern, text in _PATTERNS]
    found = [(match, text) for match, text in matches if match]
    if not found:
        return None
    match, text = max(found, key=lambda each: each[0].end())
    return match, str(text) % {name: _word(value) for name, value in match.groupdict().items()}


def _word(english: str) -> str:
    if english.endswith("th") and english[:-2].isdigit():
        return pgettext("schedule", "%sth") % english[:-2]
    return str(WORDS.get(english, english))
