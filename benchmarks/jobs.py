"""How many jobs a second one worker works off, beside what else works off jobs for Django.

    python -m benchmarks.jobs

The job does nothing but note the time. A first one holds the worker up until the queue is filled;
the rate is that of the middle 80 % of the rest. Each contender has one process for its jobs.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import contests
from benchmarks.contenders.jobs import (
    DJANGO_TASKS,
    DRAMATIQ,
    HUEY,
    PROCRASTINATE,
    RESULTS,
    Worker,
    motia,
    on_celery,
)
from benchmarks.contests import OURS, Contest, Goal, in_turns
from benchmarks.working import BROKERS, crews

PACKAGES = (
    "django",
    "celery",
    "redis",
    "amqp",
    "psycopg",
    "django-celery-results",
    "procrastinate",
    "django-tasks-db",
    "huey",
    "dramatiq",
)
LIGHT_JOBS, KEPT_JOBS = 3000, 1000
"""Of each contender in each turn: some seconds of work."""
PLAIN = "Celery, shared_task"
KEPT = {"Redis": 0.6, "RabbitMQ": 0.35}
"""How fast ours is to be where each run is kept, beside plain Celery that keeps none."""


def light(broker: str, pool: str, repeats: int) -> Contest:
    """Measure runs that are in no table while all goes well."""
    workers = (motia(OURS, "light", pool=pool), on_celery(PLAIN, "late", pool=pool))
    goals = (Goal(beside=PLAIN, as_fast=0.95),)
    return _contest(f"light, {pool}, {broker}", broker, workers, goals, repeats, LIGHT_JOBS)


def kept(broker: str, repeats: int) -> Contest:
    """Measure runs that are in the ledger, beside those who keep a record too, and who do not."""
    recording = (RESULTS, PROCRASTINATE, DJANGO_TASKS) if broker == "Redis" else ()
    context = (HUEY, DRAMATIQ) if broker == "Redis" else ()
    workers = (motia(OURS, "kept"), on_celery(PLAIN, "early"), *recording, *context)
    goals = [Goal(beside=each.name, as_fast=1) for each in recording if each.is_there]
    goals.insert(0, Goal(beside=PLAIN, as_fast=KEPT[broker]))
    return _contest(f"kept in PostgreSQL, {broker}", broker, workers, goals, repeats, KEPT_JOBS)


def measure(repeats: int) -> list[Contest]:
    """Let each kind of run be measured on each broker."""
    pools = [(broker, pool) for broker in BROKERS for pool in ("prefork", "solo")]
    return [
        *(light(broker, pool, repeats) for broker, pool in pools),
        *(kept(broker, repeats) for broker in BROKERS),
    ]


def _contest(
    work: str,
    broker: str,
    workers: Sequence[Worker],
    goals: Sequence[Goal],
    repeats: int,
    jobs: int,
) -> Contest:
    with crews(workers, broker) as all_of_them:
        turns = {name: (lambda each=each: each.rate(jobs)) for name, each in all_of_them.items()}
        figures = in_turns(turns, repeats)
    return Contest(work=work, unit="jobs/s", more_is_better=True, figures=figures, goals=goals)


def main() -> int:
    """Measure, print, write."""
    return contests.run("jobs", __doc__, PACKAGES, measure)


if __name__ == "__main__":
    raise SystemExit(main())
