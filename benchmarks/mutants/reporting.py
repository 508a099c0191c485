"""The score: how many mutants the tests notice, by module, and those that they do not.

What no test executes on SQLite, which is what is written for other databases, is counted apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.mutants.mutants import Mutant
from benchmarks.mutants.running import Verdict

_LEFT = ("survived", "uncovered")


def report(mutants: Sequence[Mutant], verdicts: Mapping[str, Verdict]) -> None:
    """Print which mutants are left, then how many of each module were killed."""
    tried = [each for each in mutants if each.key in verdicts]
    counted: dict[Path, Counter[str]] = defaultdict(Counter)
    for mutant in tried:
        word = verdicts[mutant.key].word
        counted[mutant.file][word] += 1
        if word in _LEFT:
            print(f"{word} {verdicts[mutant.key].tests} tests: {mutant}\n")
    print(f"{'':40} killed  too slow  survived  uncovered  unviable    score")
    for file in sorted(counted):
        print(_row(str(file), counted[file]))
    print(_row("all", sum(counted.values(), Counter())))


def _row(named: str, counted: Counter[str]) -> str:
    words = ("killed", "slow", "survived", "uncovered", "unviable")
    killed, slow, survived, uncovered, unviable = (counted[word] for word in words)
    found = killed + slow
    score = f"{100 * found / (found + survived):.1f} %" if found + survived else "-"
    return f"{named:40} {killed:6}  {slow:8}  {survived:8}  {uncovered:9}  {unviable:8}  {score:>7}"
