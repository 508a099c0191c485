"""The cron trigger: run on a schedule of 5, 6 or 7 fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from django.utils.translation import gettext

from motia_django.declarations import Mismatch, Reader, boolean, one_of
from motia_django.delivery import Delivery
from motia_django.exceptions import did_you_mean
from motia_django.triggers import written
from motia_django.triggers.base import Trigger, take_condition
from motia_django.triggers.spellings import spelled

NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIRST_YEAR, _LAST_YEAR = 1970, 2099
_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class CronExpression:
    """A cron expression: 5 fields as everywhere, 6 with seconds first, 7 with the year last.

    Day of week is 0-7, Sunday both 0 and 7, or a name; `@hourly` and its kin are known. Across
    changes of the clocks it keeps Debian cron's rules: a fixed time in the skipped hour runs right
    after it, one in the repeated hour runs once, a wildcard hour runs each real hour.
    """

    text: str
    fields: str
    """The expression for cronsim: 5 or 6 fields."""
    years: frozenset[int] | None

    @classmethod
    def parse(cls, text: str) -> CronExpression:
        """Return the expression; raise `ValueError` that says what is wrong with it."""
        if text.startswith("@") and text not in NAMED:
            raise ValueError(f"unknown name {text!r}.{did_you_mean(text, NAMED)}")
        fields = NAMED.get(text, text).split()
        if not 5 <= len(fields) <= 7:
            raise ValueError(f"it has {len(fields)} fields")
        years = _years(fields.pop()) if len(fields) == 7 else None
        try:
            CronSim(" ".join(fields), datetime(2024, 1, 1))
        except CronSimError as error:
            raise ValueError(str(error)) from error
        return cls(text, " ".join(fields), years)

    @property
    def words(self) -> str:
        """The expression in the reader's language: "At 03:00 on Monday through Friday"."""
        from motia_django.triggers import cron_words  # dozens of patterns, for people alone

        told = CronSim(self.fields, datetime(2024, 1, 1)).explain()
        told = cron_words.translated(cron_words.plainer(told))
        if self.years is None:
            return told
        years = ", ".join(map(str, sorted(self.years)))
        return gettext("%(schedule)s in %(years)s") % {"schedule": told, "years": years}

    def after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return the first time after `moment` (aware) that is due in `zone`, in UTC, if ever."""
        start = moment = moment.astimezone(UTC)
        while True:
            times = self._times(start, zone, reverse=False)
            due = next((each for each in times if each > moment), None)
            if due is None or self._in_years(due, zone):
                return due
            later = [year for year in self.years or () if year > due.astimezone(zone).year]
            if not later:
                return None
            start = datetime(min(later), 1, 1, tzinfo=zone) - _SECOND

    def latest(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return the last time up to `moment` (aware) that was due in `zone`, in UTC, if ever."""
        moment = moment.astimezone(UTC)
        start = moment.replace(microsecond=0) + _SECOND
        while True:
            times = self._times(start, zone, reverse=True)
            due = next((each for each in times if each <= moment), None)
            if due is None or self._in_years(due, zone):
                return due
            earlier = [year for year in self.years or () if year < due.astimezone(zone).year]
            if not earlier:
                return None
            start = datetime(max(earlier) + 1, 1, 1, tzinfo=zone)

    def _in_years(self, due: datetime, zone: tzinfo) -> bool:
        return self.years is None or due.astimezone(zone).year in self.years

    def _times(self, start: datetime, zone: tzinfo, *, reverse: bool) -> Iterator[datetime]:
        """Yield what is due from `start` on, in UTC; near a change of the clocks a bit too much."""
        local = start.astimezone(zone)
        minute, hour = self.fields.split()[-5:-3]
        if minute.startswith("*") or hour.startswith("*"):
            for due in CronSim(self.fields, local, reverse=reverse):
                yield due.astimezone(UTC)
            return
        wall = local.replace(tzinfo=None, fold=0)
        if reverse:
            wall += _repeated(local)
        for due in CronSim(self.fields, wall, reverse=reverse):
            yield _real(due, zone)


@dataclass(frozen=True, slots=True)
class Timing:
    """An expression in a time zone: when something is due."""

    expression: CronExpression
    zone: tzinfo

    def __str__(self) -> str:
        return f"{self.expression.text} in {self.zone}"

    def after(self, moment: datetime) -> datetime | None:
        """Return the first time after `moment` (aware) that is due, in UTC, if ever."""
        return self.expression.after(moment, self.zone)

    def latest(self, moment: datetime) -> datetime | None:
        """Return the last time up to `moment` (aware) that was due, in UTC, if ever."""
        return self.expression.latest(moment, self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class CronTrigger(Trigger):
    """`{"type": "cron", "schedule": "0 * * * *", "timezone": "Europe/Berlin"}`."""

    kind: ClassVar[str] = "cron"

    schedule: CronExpression
    timezone: ZoneInfo | None = None
    """None means the Celery app's own."""
    overlap: str = "allow"
    """`skip` leaves a tick out that comes while a run of this trigger is unfinished."""
    catch_up: bool = False
    """Whether the newest tick that was missed, while beat was down, is made up for."""

    @classmethod
    def read(cls, reader: Reader) -> CronTrigger:
        """Read one entry of `triggers`; problems are noted in the reader."""
        return cls(
            schedule=reader.take("schedule", _expression, also=("expression", "cron")),
            timezone=reader.take("timezone", _zone, default=None),
            overlap=reader.take("overlap", one_of("allow", "skip"), default="allow"),
            catch_up=reader.take("catch_up", boolean, default=False),
            condition=take_condition(reader),
            delivery=Delivery.read(reader),
        )

    @property
    def source(self) -> str:
        return self.schedule.text

    @property
    def declared(self) -> str:
        """When it is due as its file says: "0 3 * * * in Europe/Berlin", or without the zone."""
        text = " ".join(self.schedule.text.split())
        return f"{text} in {self.timezone}" if self.timezone else text

    def clean_input(self, raw: Any, subject: str) -> None:
        return None

    def kept_for(self, data: Any) -> Any:
        """Return the input of the tick that `data` is; anything else stands for a tick of now."""
        if self.scheduled_time(data):
            return data
        return self.input_at(datetime.now(UTC).replace(microsecond=0))

    def scheduled_time(self, raw: Any) -> datetime | None:
        """Return when a tick was due, in the zone that the trigger names, or in UTC."""
        try:
            due = datetime.fromisoformat(raw["scheduledTime"])
        except (TypeError, KeyError, ValueError):
            return None
        return due.astimezone(self.timezone) if self.timezone and due.tzinfo else due

    @staticmethod
    def input_at(due: datetime) -> dict[str, str]:
        """Return what a run of the tick that was due then is stored with."""
        return {"scheduledTime": due.isoformat()}


@spelled(cron="schedule")
def cron(
    schedule: str | None = None,
    *,
    expression: str | None = None,
    timezone: str | None = None,
    overlap: Literal["allow", "skip"] | None = None,
    catch_up: bool | None = None,
    condition: Any = None,
    config: Mapping[str, Any] | None = None,
) -> written.CronTrigger:
    """Declare a cron trigger: `cron("0 * * * *", timezone="Europe/Berlin")`.

    The schedule may be called `expression`, as in Motia.
    """
    if schedule and expression:
        raise TypeError("cron(): 'schedule' and 'expression' are two spellings of one key")
    return written.CronTrigger(
        schedule=schedule or expression,
        timezone=timezone,
        overlap=overlap,
        catch_up=catch_up,
        condition=condition,
        config=config,
    )


def _repeated(local: datetime) -> timedelta:
    """Return how long the clocks are put back if `local` stands in a time that comes twice."""
    before, after = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    return max((before or timedelta()) - (after or timedelta()), timedelta())


def _real(wall: datetime, zone: tzinfo) -> datetime:
    """Return when a clock shows `wall`, in UTC: the first time if twice, right after if never."""
    due = wall.replace(tzinfo=zone).astimezone(UTC)
    shown = due.astimezone(zone)
    if shown.replace(tzinfo=None, fold=0) == wall:
        return due
    while (due - _MINUTE).astimezone(zone).utcoffset() == shown.utcoffset():
        due -= _MINUTE
    return due.replace(second=0)


def _expression(value: Any) -> CronExpression:
    expected = "a cron expression of 5, 6 (seconds first) or 7 (year last) fields"
    if not isinstance(value, str):
        raise Mismatch(expected)
    try:
        return CronExpression.parse(value)
    except ValueError as error:
        raise Mismatch(f"{expected} ({error})") from error


def _zone(value: Any) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise Mismatch('a time zone such as "Europe/Berlin"') from error


def _years(field: str) -> frozenset[int] | None:
    if field == "*":
        return None
    return frozenset(year for part in field.split(",") for year in _year_range(part))


def _year_range(part: str) -> range:
    span, _, step = part.partition("/")
    first, _, last = span.partition("-")
    if span == "*":
        first, last = str(_FIRST_YEAR), str(_LAST_YEAR)
    try:
        low = int(first)
        years = range(low, int(last or (_LAST_YEAR if step else low)) + 1, int(step or 1))
    except ValueError:
        years = range(0)
    if not years or years[0] < _FIRST_YEAR or years[-1] > _LAST_YEAR:
        raise ValueError(f"bad year {part!r}: expected {_FIRST_YEAR} to {_LAST_YEAR}")
    return years
