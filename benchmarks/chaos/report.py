"""The results as tables: for people at the terminal, and in docs/reliability.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.chaos.battle import Report

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- chaos: begin -->", "<!-- chaos: end -->"

_COLUMNS = (
    "pair",
    "messages",
    "rolled back",
    "faults",
    "finished",
    "stuck",
    "repeats of plain Steps",
    "atomic, exactly once",
    "FIFO violations",
    "concurrency, peak of limit",
    "seconds",
)


def results(reports: Sequence[Report]) -> str:
    """Return one line for each pair, as a Markdown table."""
    return _table(_COLUMNS, [_row(each) for each in reports])


def faults(reports: Sequence[Report]) -> str:
    """Return how often each fault fell on each pair, as a Markdown table."""
    kinds = sorted({kind for each in reports for kind in each.faults})
    rows = [[kind, *(str(each.faults.get(kind, 0)) for each in reports)] for kind in kinds]
    return _table(["fault", *(each.pair for each in reports)], rows)


def write(reports: Sequence[Report], command: str, page: Path = PAGE) -> None:
    """Put the tables in their place in the page."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    made = f"Made by `{command}`."
    tables = f"{BEGIN}\n{made}\n\n{results(reports)}\n\n{faults(reports)}\n{END}"
    page.write_text(before + tables + after)


def _row(report: Report) -> list[str]:
    found = report.findings
    return [
        report.pair,
        str(found.messages),
        str(found.rolled_back),
        str(sum(report.faults.values())),
        str(found.finished),
        str(found.stuck),
        str(found.plain_repeats),
        f"{found.atomic_once} of {found.atomic}",
        str(found.fifo_violations),
        f"{found.concurrency} of {found.concurrency_limit}",
        f"{report.seconds:.0f}",
    ]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
