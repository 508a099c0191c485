"""Which tests execute which lines: found by running each test once, in a fork, under coverage."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Any

import coverage
import pytest
from _pytest.runner import runtestprotocol

from benchmarks.mutants.forks import in_a_fork


@dataclass(slots=True)
class Covering:
    """What is known of the tests that pass."""

    seconds: dict[str, float] = field(default_factory=dict)
    """For how long each had the processor."""
    by_line: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    """The tests that execute each line of each file."""

    def tests_of(self, file: Path, lines: Collection[int]) -> list[str]:
        """Return the tests that execute one of these lines, or any line if there are none.

        Those of its own module come first, then those of its package, and the quick ones.
        """
        named = str(file.resolve())
        executed = [line for file, line in self.by_line if file == named]
        found = {test for line in lines or executed for test in self.by_line.get((named, line), ())}
        near = (f"/test_{file.stem}.py", f"/{file.parent.name}/")
        return sorted(
            found, key=lambda test: (*(each not in test for each in near), self.seconds[test], test)
        )


def failing(items: Sequence[pytest.Item]) -> str | None:
    """Run tests one after the other, and return the first that fails, if one does."""
    for item, following in zip_longest(items, items[1:]):
        # What is left to be torn down after the last one is all but what the session has.
        nextitem: Any = following or item.session
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if any(report.failed for report in reports):
            return item.nodeid
    return None


def cover(items: Sequence[pytest.Item], files: Sequence[Path], folder: Path) -> Covering:
    """Run each test once, and return what it executes of these files.

    What was found out of a module of tests is kept in the folder, as long as it and all of these
    files stay as they are.
    """
    sources = b"".join(each.read_bytes() for each in files)
    covering = Covering()
    by_file: dict[Path, list[pytest.Item]] = {}
    for item in items:
        by_file.setdefault(item.path, []).append(item)
    for test_file, tests in by_file.items():
        digest = sha256(sources + test_file.read_bytes()).hexdigest()[:16]
        told = folder / f"covering-{test_file.stem}-{digest}.json"
        if not told.exists():
            assert in_a_fork(partial(_cover, tests, files, told)) == 0, test_file
        known = json.loads(told.read_text())
        covering.seconds |= known["seconds"]
        for file, line, executing in known["lines"]:
            covering.by_line.setdefault((file, line), []).extend(executing)
    return covering


def _cover(items: Sequence[pytest.Item], files: Sequence[Path], told: Path) -> None:
    cover = coverage.Coverage(
        data_file=None, config_file=False, include=[str(each.resolve()) for each in files]
    )
    cover.start()
    seconds: dict[str, float] = {}
    for item in items:
        cover.switch_context(item.nodeid)
        began = time.process_time()
        if failing([item]) is None:
            seconds[item.nodeid] = time.process_time() - began
    cover.stop()
    told.write_text(json.dumps({"seconds": seconds, "lines": _lines(cover, seconds)}))


def _lines(cover: coverage.Coverage, passed: Iterable[str]) -> list[Any]:
    data, known = cover.get_data(), set(passed)
    return [
        (file, line, sorted(known & {*tests}))
        for file in data.measured_files()
        for line, tests in data.contexts_by_lineno(file).items()
    ]
