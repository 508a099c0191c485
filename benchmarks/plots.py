"""Contests as pictures: a bar for each contender, ours in colour, with the spread of its repeats.

    python -m benchmarks.plots jobs

draws the contests of `benchmarks.jobs` anew from the figures that are kept beside the page.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.contests import OURS, Contest, Spread, read, short

PICTURES = report.PAGE.parent / "images" / "performance"
COLOURS = {True: "#2f81f7", False: "#8b949e"}
"""Of ours, and of others'."""
INK = "#6e7781"
"""Of all text and lines: it can be read on white as on black."""
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "motia",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
WIDTH = 8.0
BAR, FRAME = 0.24, 0.8
"""Inches of height for each contender, and for each contest besides."""


def missing() -> bool:
    """Return whether there is nothing to draw with."""
    return find_spec("matplotlib") is None


def draw(name: str, contests: Sequence[Contest], folder: Path = PICTURES) -> Path:
    """Draw one picture of these contests; the same figures give the same file."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    heights = [len(each.figures) * BAR + FRAME for each in contests]
    file = folder / f"{name}.svg"
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, sum(heights)), layout=ConstrainedLayoutEngine(w_pad=0.2))
        all_axes = figure.subplots(len(contests), squeeze=False, height_ratios=heights)[:, 0]
        for axes, contest in zip(all_axes, contests, strict=True):
            _draw(axes, contest)
        figure.savefig(file, transparent=True, metadata={"Date": None, "Creator": None})
    return file


def _draw(axes: Any, contest: Contest) -> None:
    """Draw the bars of one contest, the first on top."""
    names = list(contest.figures)
    spreads = [Spread.of(values) for values in contest.figures.values()]
    middles = [each.middle for each in spreads]
    spread = [
        [each.middle - each.low for each in spreads],
        [each.high - each.middle for each in spreads],
    ]
    ours = {goal.ours for goal in contest.goals} | {each for each in names if OURS in each}
    colours = [COLOURS[not ours or each in ours] for each in names]
    error = {"ecolor": INK, "elinewidth": 1, "capsize": 2}
    axes.barh(names, middles, xerr=spread, color=colours, height=0.7, error_kw=error)
    for at, each in enumerate(spreads):
        axes.annotate(
            short(each.middle),
            (each.high, at),
            xytext=(5, 0),
            textcoords="offset points",
            verticalalignment="center",
        )
    better = ", more is better" if contest.more_is_better else ", less is better"
    said = f"{contest.unit}{better if contest.goals else ''}"
    axes.set_title(f"{contest.work}  ({said})", loc="left", fontsize=9)
    axes.set_xlim(0, 1.12 * max(each.high for each in spreads) or 1)
    axes.invert_yaxis()
    axes.tick_params(left=False)
    axes.spines[["top", "right", "left"]].set_visible(False)


def main() -> int:
    """Draw those that are named."""
    for name in sys.argv[1:]:
        print(draw(name, read((report.RAW / f"{name}.json").read_text("utf-8"))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
