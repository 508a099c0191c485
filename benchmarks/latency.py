"""How long it takes from sending a job to the call of its handler, while the worker is idle.

    python -m benchmarks.latency

One job after the other, with a pause between them, through a Celery worker of one process.
"""

from __future__ import annotations

from benchmarks import contests
from benchmarks.contenders.jobs import motia, on_celery
from benchmarks.contests import OURS, Contest, Goal
from benchmarks.working import BROKERS, Crew, crews

PACKAGES = ("django", "celery", "redis", "amqp", "psycopg")
JOBS = 300
"""Of each contender in each turn."""
PAUSE = 0.03
"""Seconds between two."""
PLAIN = "Celery, shared_task"
KINDS = {"light": "light", "kept in PostgreSQL": "kept"}
"""How our runs are kept."""
WORKERS = (on_celery(PLAIN, "early"), *(motia(said, kind) for said, kind in KINDS.items()))
PARTS = {"half": 0.5, "99 of 100": 0.99}


def measure(repeats: int) -> list[Contest]:
    """Measure on each broker within which time half of the jobs, and nearly all, were begun."""
    return [contest for broker in BROKERS for contest in _on(broker, repeats)]


def _on(broker: str, repeats: int) -> list[Contest]:
    with crews(WORKERS, broker) as found:
        turns = [_turn(found) for _ in range(repeats)]
    return [
        Contest(
            work=f"{kind}, {broker}: {said}",
            unit="ms",
            figures={
                OURS: [_within(turn[kind], part) for turn in turns],
                PLAIN: [_within(turn[PLAIN], part) for turn in turns],
            },
            goals=(Goal(beside=PLAIN, plus=2),),
        )
        for kind in KINDS
        for said, part in PARTS.items()
    ]


def _turn(found: dict[str, Crew]) -> dict[str, list[float]]:
    """Let each send and begin its jobs, one contender after the other."""
    return {name: crew.delays(JOBS, PAUSE) for name, crew in found.items()}


def _within(delays: list[float], part: float) -> float:
    """Return the time within which this part of the jobs was begun."""
    return delays[int(len(delays) * part)]


def main() -> int:
    """Measure, print, write."""
    return contests.run("latency", __doc__, PACKAGES, measure)


if __name__ == "__main__":
    raise SystemExit(main())
