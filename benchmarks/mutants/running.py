"""Each mutant before its tests: in a fork of a process that has everything loaded already."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.mutants.covering import Covering, failing
from benchmarks.mutants.forks import end, fork, in_a_fork
from benchmarks.mutants.mutants import Mutant, lines_of
from benchmarks.mutants.swapping import Loaded

BUDGET = 5.0
"""Seconds of the processor's time that a mutant's tests may take, as long as there is no mutant."""
_PATIENCE, _TIMES = 15.0, 4.0
"""A mutant is too slow after so many seconds of it, and so many times what its tests take."""
_WAITS = 5.0
"""So many times more may pass, since others work on the machine, and tests wait."""
_FAILED, _CANNOT = 1, 3
"""What a fork ends with: a test has failed; the change cannot be made in a process that runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a mutant."""

    key: str
    word: str
    """`killed`, `slow`, `survived`, `uncovered` if no test executes it, `unviable`."""
    by: str = ""
    """The test that killed it."""
    tests: int = 0
    """How many it was put before."""


@dataclass(slots=True, kw_only=True)
class _Trial:
    mutant: Mutant
    tests: Sequence[str]
    ends_at: float


@dataclass(slots=True, kw_only=True)
class Court:
    """What it takes to try mutants."""

    items: dict[str, pytest.Item]
    covering: Covering
    loaded: Loaded
    folder: Path

    def chosen(self, mutant: Mutant) -> list[str]:
        """Return the tests that a mutant is put before."""
        left = BUDGET
        tests: list[str] = []
        for test in self.covering.tests_of(mutant.file, lines_of(mutant)):
            if self.covering.seconds[test] <= left or not tests:
                left -= self.covering.seconds[test]
                tests.append(test)
        return tests

    def verdicts(self, mutants: Iterable[Mutant], at_once: int) -> Iterator[Verdict]:
        """Try mutants, so many at once, and yield what became of each."""
        going_on: dict[int, _Trial] = {}
        try:
            for mutant in mutants:
                tests = self.chosen(mutant)
                if not tests:
                    yield Verdict(key=mutant.key, word="uncovered")
                    continue
                while len(going_on) >= at_once:
                    yield from self._ended(going_on)
                going_on[fork(self._act(mutant, tests))] = self._trial(mutant, tests)
            while going_on:
                yield from self._ended(going_on)
        finally:
            for number in going_on:
                end(number)

    def fails_without(self, mutant: Mutant) -> str | None:
        """Return the first of a mutant's tests that fails without the mutant, which none should."""
        tests = self.chosen(mutant)
        status = in_a_fork(lambda: self._put_before(mutant, tests))
        return (self._named(mutant) or "?") if status else None

    def _trial(self, mutant: Mutant, tests: Sequence[str]) -> _Trial:
        ends_at = time.monotonic() + _WAITS * self._allowed(tests)
        return _Trial(mutant=mutant, tests=tests, ends_at=ends_at)

    def _allowed(self, tests: Sequence[str]) -> float:
        return _PATIENCE + _TIMES * sum(map(self.covering.seconds.__getitem__, tests))

    def _act(self, mutant: Mutant, tests: Sequence[str]) -> Callable[[], None]:
        def act() -> None:
            most = int(self._allowed(tests))
            resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))
            if not self.loaded.swap(mutant):
                sys.exit(_CANNOT)
            self._put_before(mutant, tests)

        return act

    def _put_before(self, mutant: Mutant, tests: Sequence[str]) -> None:
        failed = failing([self.items[test] for test in tests])
        if failed is not None:
            (self.folder / mutant.key).write_text(failed)
            sys.exit(_FAILED)

    def _ended(self, going_on: dict[int, _Trial]) -> Iterator[Verdict]:
        """Wait a bit, and yield the verdicts on those that have ended or take too long."""
        time.sleep(0.02)
        for number, trial in [*going_on.items()]:
            ended, status = os.waitpid(number, os.WNOHANG)
            is_slow = not ended and time.monotonic() > trial.ends_at
            if is_slow:
                end(number)
            if ended or is_slow:
                del going_on[number]
                code = None if is_slow else os.waitstatus_to_exitcode(status)
                yield self._verdict(trial, code)

    def _verdict(self, trial: _Trial, code: int | None) -> Verdict:
        words = {None: "slow", -signal.SIGXCPU: "slow", 0: "survived", _CANNOT: "unviable"}
        return Verdict(
            key=trial.mutant.key,
            word=words.get(code, "killed"),
            by=self._named(trial.mutant),
            tests=len(trial.tests),
        )

    def _named(self, mutant: Mutant) -> str:
        """Return the test that has failed for a mutant, as its fork has noted."""
        note = self.folder / mutant.key
        named = note.read_text() if note.exists() else ""
        note.unlink(missing_ok=True)
        return named
