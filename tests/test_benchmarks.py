"""The benchmarks run, and write what they found where it belongs."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import plots, report, summary
from benchmarks.contenders import CONTENDERS
from benchmarks.contests import OURS, Contest, Goal
from benchmarks.mutants.swapping import loaded
from benchmarks.streams import Result, middle, rows

ROOT = Path(__file__).resolve().parents[1]


def result(name: str, *delays: float) -> Result:
    return Result(CONTENDERS[name], expected=4, delays=[*delays], memory=50, joins=100, cpu=1e-4)


def test_a_table_has_ratios_to_its_first_line() -> None:
    ours, theirs = rows([result("motia", *[0.02] * 4), result("channels", *[0.05] * 3)])
    assert ours[1:4] == ["20 ms", "20 ms", "0 of 4"]
    assert theirs[1:4] == ["50 ms (2.5 x)", "50 ms (2.5 x)", "1 of 4"]


def test_of_several_turns_the_middle_one_counts() -> None:
    turns = [result("motia", seconds) for seconds in (0.3, 0.1, 0.2)]
    assert middle(turns) is turns[2]


def test_what_was_found_is_written_between_its_marks_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- one: begin -->\nold\n<!-- one: end -->\nb\n")
    report.write("one", "new", page)
    assert page.read_text() == "a\n<!-- one: begin -->\nnew\n<!-- one: end -->\nb\n"
    with pytest.raises(ValueError, match="two: begin"):
        report.write("two", "new", page)


def contest(*goals: Goal) -> Contest:
    figures = {OURS: [40, 50, 60], "Other": [10, 10, 12]}
    return Contest(work="A job", unit="jobs/s", more_is_better=True, figures=figures, goals=goals)


def test_the_summary_tells_of_each_goal_and_whether_it_was_reached() -> None:
    easy, hard = Goal(beside="Other", as_fast=2), Goal(beside="Other", as_fast=9)
    text = summary.table({"jobs": [contest(easy, hard)], "none": [contest()]})
    [_, _, first, second] = [
        [cell.strip() for cell in line.split("|")] for line in text.split("\n")
    ]
    assert first[1:-1] == ["jobs", "A job", "Other", "5.00 (4.00-5.00) x", ">= 2 x", "reached"]
    assert second[1:-1] == ["", "A job", "Other", "5.00 (4.00-5.00) x", ">= 9 x", "**missed**"]


@pytest.mark.skipif(plots.missing(), reason="matplotlib is in the extra bench")
def test_a_picture_shows_each_contender_and_is_the_same_each_time(tmp_path: Path) -> None:
    drawn = [
        plots.draw("jobs", [contest(Goal(beside="Other", as_fast=2))], tmp_path / each).read_text()
        for each in "ab"
    ]
    assert drawn[0] == drawn[1]
    for shown in (
        OURS,
        "Other",
        "50.0",
        "10.0",
        "A job",
        "more is better",
        *plots.COLOURS.values(),
    ):
        assert shown in drawn[0]
    assert "<dc:date>" not in drawn[0]


@pytest.mark.journey
@pytest.mark.usefixtures("postgresql_server", "redis_server")
@pytest.mark.parametrize("name", CONTENDERS)
def test_each_contender_tells_all_its_clients(name: str) -> None:
    missing = CONTENDERS[name].missing
    if missing:
        pytest.skip(f"without {', '.join(missing)}")
    options = ["--only", name, "--times", "1", "--clients", "5", "--rounds", "3", "--pause", "0.05"]
    command = [sys.executable, "-m", "benchmarks.streams", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    if name.startswith("motia"):  # whether others lose something is theirs
        assert "0 of 15" in done.stdout


def test_a_mutant_finds_what_it_is_to_replace_though_all_is_frozen() -> None:
    gc.freeze()
    places = loaded([Path(plots.__file__)]).functions
    gc.freeze()  # as it was
    assert (plots.__file__, "draw", plots.draw.__code__.co_firstlineno) in places
