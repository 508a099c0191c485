"""Contests: the same work, done by ours and by others in turns; what came of it, and the goals."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from benchmarks import report

OURS = "motia_django"
"""The name of our contender, unless there are several."""

Turn = Callable[[], float]
"""Does the work once, or many times, and returns the figure: a time, a rate, a size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What one of ours is to reach beside another contender: a ratio, or a difference."""

    beside: str
    ours: str = OURS
    as_fast: float | None = None
    """At least so many times as fast as the other."""
    plus: float | None = None
    """At most so much more than the other, in the contest's unit."""

    @property
    def text(self) -> str:
        """The goal in words."""
        return f">= {self.as_fast:.3g} x" if self.as_fast is not None else f"<= +{self.plus:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median of several repeats, with the lowest and the highest."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return that of these values."""
        return cls(middle=median(values), low=min(values), high=max(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One piece of work, and the figures of each contender."""

    work: str
    """Such as `POST of 3 fields, gunicorn`."""
    unit: str
    """Such as `requests/s` or `ms`."""
    more_is_better: bool = False
    figures: Mapping[str, Sequence[float]]
    """Of each contender, one for each repeat; those of the same repeat were measured in turns."""
    goals: Sequence[Goal] = field(default_factory=tuple)

    def speed(self, goal: Goal) -> Spread:
        """Return how many times as fast as the other ours is: a ratio for each repeat."""
        pairs = zip(self.figures[goal.ours], self.figures[goal.beside], strict=True)
        ratios = [a / b if self.more_is_better else b / a for a, b in pairs]
        return Spread.of(ratios)

    def excess(self, goal: Goal) -> Spread:
        """Return how much more ours takes than the other: a difference for each repeat."""
        pairs = zip(self.figures[goal.ours], self.figures[goal.beside], strict=True)
        return Spread.of([a - b for a, b in pairs])

    def is_reached(self, goal: Goal) -> bool:
        """Return whether the median of the repeats is as it should be."""
        if goal.as_fast is not None:
            return self.speed(goal).middle >= goal.as_fast
        assert goal.plus is not None
        return self.excess(goal).middle <= goal.plus


def in_turns(turns: Mapping[str, Turn], repeats: int) -> dict[str, list[float]]:
    """Let each contender do the work, one after the other, so many times."""
    figures: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(repeats):
        for name, turn in turns.items():
            figures[name].append(turn())
    return figures


def microseconds(act: Callable[[], object], calls: int) -> float:
    """Return those of one call, of so many one after the other."""
    began = time.perf_counter()
    for _ in range(calls):
        act()
    return (time.perf_counter() - began) / calls * 1e6


def run(
    name: str,
    about: str | None,
    packages: Sequence[str],
    measure: Callable[[int], Sequence[Contest]],
    repeats: int = 5,
) -> int:
    """Be the command line of a benchmark: measure, print, write; 1 if a goal is not reached."""
    parser = argparse.ArgumentParser(f"python -m benchmarks.{name}", description=about)
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--write-docs", action="store_true", help=f"into docs/{report.PAGE.name}")
    options = parser.parse_args()
    machine = report.machine(*packages)
    contests = measure(options.repeats)
    text = f"{machine}. Medians of {options.repeats}, lowest to highest.\n\n{tables(contests)}"
    print(text)
    raw = {"machine": machine, "contests": [asdict(each) for each in contests]}
    report.keep(name, json.dumps(raw, indent=1), written=options.write_docs)
    if options.write_docs:
        report.write(name, f"{text}{_picture(name, contests)}")
    return int(any(not each.is_reached(goal) for each in contests for goal in each.goals))


def _picture(name: str, contests: Sequence[Contest]) -> str:
    """Draw the contests, and return what shows the picture in the page."""
    from benchmarks import plots

    if plots.missing():
        print(f"{name}: no picture is drawn, for want of matplotlib")
        return ""
    drawn = plots.draw(name, contests).relative_to(report.PAGE.parent)
    return f"\n\n![The same as bars]({drawn.as_posix()})"


def read(raw: str) -> list[Contest]:
    """Return the contests that `run` has kept."""
    return [of_values(each) for each in json.loads(raw)["contests"]]


def of_values(values: Mapping[str, Any]) -> Contest:
    """Return the contest that `asdict` has made these values of."""
    return Contest(**{**values, "goals": [Goal(**goal) for goal in values["goals"]]})


def tables(contests: Sequence[Contest]) -> str:
    """Return the tables of these contests, those of one unit together."""
    units = dict.fromkeys((each.unit, each.more_is_better) for each in contests)
    return "\n\n".join(
        _table([each for each in contests if (each.unit, each.more_is_better) == measure])
        for measure in units
    )


def _table(contests: Sequence[Contest]) -> str:
    """Return the table of contests of one unit; without goals, it does not speak of any."""
    columns = ("work", "contender", contests[0].unit, "ours beside it", "to reach", "")
    width = len(columns) if any(each.goals for each in contests) else 3
    rows = [row[:width] for each in contests for row in _rows(each)]
    return report.table(columns[:width], rows)


def _rows(contest: Contest) -> list[list[str]]:
    """Return a line for each contender; the work is named in the first.

    One beside which several of ours are measured has a line for each, which names it.
    """
    rows = []
    for name, values in contest.figures.items():
        said = _figures(Spread.of(values))
        goals = [goal for goal in contest.goals if goal.beside == name]
        for goal in goals:
            named = f"{name} ({goal.ours})" if len(goals) > 1 else name
            rows.append([named, said, *beside(contest, goal)])
        if not goals:
            rows.append([name, said, "", "", ""])
    return [[contest.work if not at else "", *row] for at, row in enumerate(rows)]


def beside(contest: Contest, goal: Goal) -> list[str]:
    """Return what came of a goal: the ratio or the difference, what was to be reached, and if."""
    reached = "reached" if contest.is_reached(goal) else "**missed**"
    if goal.as_fast is not None:
        return [f"{_ratios(contest.speed(goal))} x", goal.text, reached]
    return [f"{_figures(contest.excess(goal), sign='+')}", goal.text, reached]


def _ratios(spread: Spread) -> str:
    return f"{spread.middle:.2f} ({spread.low:.2f}-{spread.high:.2f})"


def _figures(spread: Spread, sign: str = "") -> str:
    middle, low, high = (short(each, sign) for each in (spread.middle, spread.low, spread.high))
    return f"{middle} ({low} to {high})" if sign else f"{middle} ({low}-{high})"


def short(value: Any, sign: str = "") -> str:
    """Return a number with three digits, or all that stand before the point."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:{sign},.{digits}f}"
