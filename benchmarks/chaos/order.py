"""Whether the effects of ordered messages happened in their order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One effect of a message, by one attempt at it."""

    group: str
    number: int
    attempt: int


@dataclass(slots=True, kw_only=True)
class Judged:
    """What is wrong with an order."""

    violations: list[str] = field(default_factory=list)
    late: int = 0
    """Effects of attempts whose successor had had its own before: from frozen processes, which
    nothing but a transaction around the effect can stop."""


def judge(effects: Iterable[Done]) -> Judged:
    """Judge effects, given in the order in which they happened.

    In each group the numbers must never fall. A message may have several effects in a row.
    """
    judged = Judged()
    highest: dict[str, int] = {}
    attempts: dict[tuple[str, int], int] = {}
    for each in effects:
        key = each.group, each.number
        if each.number >= highest.get(each.group, -1):
            highest[each.group] = each.number
        elif each.attempt < attempts.get(key, 0):
            judged.late += 1
        else:
            judged.violations.append(
                f"group {each.group}: {each.number} (attempt {each.attempt}) came after"
                f" {highest[each.group]}"
            )
        attempts[key] = max(each.attempt, attempts.get(key, 0))
    return judged
