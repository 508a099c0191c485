"""All goals in one table: what was to be reached beside whom, and what was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks import report
from benchmarks.contests import OURS, Contest, Goal, beside, read

COLUMNS = ("", "work", "beside", "ours beside it", "to reach", "")


def kept(names: Sequence[str], *, written: bool) -> dict[str, list[Contest]]:
    """Return the contests of these benchmarks, as far as there are figures that are kept."""
    folder = report.RAW if written else report.LAST
    files = {name: folder / f"{name}.json" for name in names}
    return {name: read(file.read_text("utf-8")) for name, file in files.items() if file.exists()}


def table(found: Mapping[str, Sequence[Contest]]) -> str:
    """Return a line for each goal; the benchmark is named in its first line."""
    rows = []
    for name, contests in found.items():
        own = [_row(contest, goal) for contest in contests for goal in contest.goals]
        rows += [[name if not at else "", *row] for at, row in enumerate(own)]
    return report.table(COLUMNS, rows)


def _row(contest: Contest, goal: Goal) -> list[str]:
    ours = "" if goal.ours == OURS else f" ({goal.ours})"
    return [contest.work, f"{goal.beside}{ours}", *beside(contest, goal)]
