"""The audit: `python -m benchmarks.chaos.audit wait SECONDS`, then `... judge`.

It reads the plan, the tables and what the handlers wrote down, and prints `Findings` as JSON.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import django
from django.db import DatabaseError, InterfaceError, connection

from benchmarks.chaos import order, outages, presence
from benchmarks.chaos.findings import Findings
from benchmarks.chaos.plan import CONCURRENCY, PRODUCERS, Message, Plan, home, transactions

Key = tuple[int, int]
_SHOWN = 5
_FINAL = ("succeeded", "skipped", "cancelled", "dead")


def wait(patience: float) -> bool:
    """Wait until every run is over; return False if for so many seconds not one more was."""
    fewest, since = math.inf, time.monotonic()
    while time.monotonic() < since + patience:
        try:
            left = _unfinished().count()
        except (DatabaseError, InterfaceError):
            connection.close()
        else:
            if not left:
                return True
            if left < fewest:
                fewest, since = left, time.monotonic()
        time.sleep(0.3)
    return False


def judge() -> Findings:
    """Compare what was planned with what is there."""
    planned = [each for number in range(PRODUCERS) for each in _planned(number)]
    committed = {each.key: each for wanted, each in planned if wanted}
    rolled_back = {each.key for wanted, each in planned if not wanted}
    found = Findings(messages=len(committed), rolled_back=len(rolled_back))
    _judge_business_rows(found, set(committed), rolled_back)
    _judge_runs(found, committed)
    effects = _effects()
    _judge_effects(found, committed, effects)
    _judge_atomic(found, committed, effects)
    _judge_order(found, committed)
    _judge_concurrency(found)
    return found


def _planned(producer: int) -> Iterable[tuple[bool, Message]]:
    for each in transactions(Plan.from_environment(), producer):
        for message in each.messages:
            yield not each.rolled_back, message


def _unfinished() -> Any:
    from motia_django.models import Run

    return Run.objects.exclude(status__in=_FINAL)


def _judge_business_rows(found: Findings, committed: set[Key], rolled_back: set[Key]) -> None:
    from benchmarks.chaos.project.shop.models import Sent

    rows = set(Sent.objects.values_list("producer", "number"))
    _tell(found, "business rows are missing", committed - rows)
    _tell(found, "business rows were rolled back and are there", rows & rolled_back)


def _judge_runs(found: Findings, committed: dict[Key, Message]) -> None:
    from motia_django.models import Run

    runs: Counter[Key] = Counter()
    succeeded = set()
    rows: Any = Run.objects.values_list("step", "input", "status", "attempt", "error")
    for step, data, status, attempt, error in rows.iterator():
        key = data["producer"], data["number"]
        found.tries += attempt
        found.stuck += status not in _FINAL
        if status == "dead":
            found.broken.append(f"a run of {step} is dead: {key} {error[-200:]}")
        if step != "Receipt":
            runs[key] += 1
            if status == "succeeded":
                succeeded.add(key)
    _tell(found, "committed messages have no run", committed.keys() - runs.keys())
    _tell(found, "messages have several runs", {key for key in runs if runs[key] > 1})
    _tell(found, "messages were never committed and have a run", runs.keys() - committed.keys())
    _tell(found, "runs have not succeeded", runs.keys() - succeeded)
    found.finished = len(succeeded & committed.keys())
    if found.stuck:
        _tell(found, "runs are stuck", [_described(each) for each in _unfinished()])


def _described(run: Any) -> str:
    return (
        f"{run.step} {run.id} {run.status} attempt {run.attempt}, published {run.publishes} times,"
        f" wakes {run.wake_at}"
    )


def _effects() -> dict[str, Counter[Key]]:
    from benchmarks.chaos.project.shop.models import Effect

    effects: dict[str, Counter[Key]] = {}
    rows = Effect.objects.values_list("step", "producer", "number")
    for step, producer, number in rows.iterator():
        effects.setdefault(step, Counter())[(producer, number)] += 1
    return effects


def _judge_effects(
    found: Findings, committed: dict[Key, Message], effects: dict[str, Counter[Key]]
) -> None:
    for step in ("Plain", "Atomic", "Fifo", "Limited"):
        wanted = {key for key, each in committed.items() if each.topic == step.lower()}
        there = effects.get(step, Counter())
        _tell(found, f"messages to {step} had no effect", wanted - there.keys())
        _tell(found, f"effects of {step} belong to no committed message", there.keys() - wanted)
        if step != "Atomic":
            found.plain_repeats += there.total() - len(there)


def _judge_atomic(
    found: Findings, committed: dict[Key, Message], effects: dict[str, Counter[Key]]
) -> None:
    from motia_django.models import Run, StateItem

    wanted = {key for key, each in committed.items() if each.topic == "atomic"}
    sent: Any = Run.objects.filter(step="Receipt").values_list("input", flat=True)
    receipts = Counter((data["producer"], data["number"]) for data in sent.iterator())
    there = effects.get("Atomic", Counter())
    wrong = {key for key in wanted if there[key] != 1 or receipts[key] != 1}
    found.atomic, found.atomic_once = len(wanted), len(wanted - wrong)
    _tell(found, "messages to Atomic have not exactly one effect and one receipt", wrong)
    _tell(found, "receipts belong to no committed message", receipts.keys() - wanted)
    counted = sum(each["count"] for each in _values(StateItem.objects.filter(group="atomic")))
    if counted != len(wanted):
        found.broken.append(f"state has counted {counted} of {len(wanted)} messages to Atomic")


def _values(items: Any) -> Iterable[dict[str, int]]:
    return items.values_list("value", flat=True)  # type: ignore[no-any-return]


def _judge_order(found: Findings, committed: dict[Key, Message]) -> None:
    from benchmarks.chaos.project.shop.models import Effect

    rows = Effect.objects.filter(step="Fifo").order_by("id")
    keys = rows.values_list("producer", "number", "attempt")
    done = [
        order.Done(group=committed[producer, number].group, number=number, attempt=attempt)
        for producer, number, attempt in keys
        if (producer, number) in committed
    ]
    judged = order.judge(done)
    crowds = presence.crowds(home(), _outages(), limit=1, places="group ")
    found.fifo = len({(each.group, each.number) for each in done})
    found.fifo_late = judged.late
    found.fifo_violations = len(judged.violations) + len(crowds)
    _tell(found, "effects are out of order", judged.violations)
    _tell(found, "handlers of one group were at work at once", crowds)


def _judge_concurrency(found: Findings) -> None:

    found.concurrency = presence.peak(home(), _outages(), "limited")
    found.concurrency_limit = CONCURRENCY
    crowds = presence.crowds(home(), _outages(), limit=CONCURRENCY, places="limited")
    _tell(found, f"times more than {CONCURRENCY} handlers of Limited were at work", crowds)


def _outages() -> list[outages.Outage]:
    return outages.load(home() / "outages.json")


def _tell(found: Findings, what: str, which: Iterable[object]) -> None:
    """Note a broken promise, with the first few cases."""
    cases = sorted(which, key=str)
    if cases:
        shown = "; ".join(str(each) for each in cases[:_SHOWN])
        found.broken.append(f"{len(cases)} {what}: {shown}{' ...' * (len(cases) > _SHOWN)}")


def main(arguments: Sequence[str]) -> int:
    """Wait for the runs, or judge them."""
    django.setup()
    if arguments[0] == "wait":
        return 0 if wait(float(arguments[1])) else 1
    print(json.dumps(asdict(judge())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
