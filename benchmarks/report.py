"""Tables for people at the terminal, and for docs/performance.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "performance.md"
RAW = PROJECT / "docs" / "performance"
"""The raw figures behind the page."""
LAST = PROJECT / ".benchmarks"
"""Those of the last run that wrote nothing into the page."""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, padded so that it reads well at a terminal, too."""
    lines = [columns, ["---"] * len(columns), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines
    )
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def machine(*packages: str) -> str:
    """Return on what this is measured: cores, how busy they are with other things, and versions."""
    installed = ", ".join(f"{each} {_version(each)}" for each in packages)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    cores = f"{os.cpu_count()} cores ({_processor()}), load {os.getloadavg()[0]:.1f} at first"
    return f"{cores}, {platform.system()}; {python}; {installed}"


def write(name: str, text: str, page: Path = PAGE) -> None:
    """Put a text between the marks of this name in the page; raise `ValueError` without them."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = page.read_text("utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{page}: expected {begin} and {end}")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")


def keep(name: str, raw: str, *, written: bool) -> None:
    """Keep a benchmark's raw figures, beside the page if they are written into it."""
    folder = RAW if written else LAST
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(f"{raw}\n", "utf-8")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _processor() -> str:
    """Return the processor's name, as Linux knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
