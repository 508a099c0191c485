"""Who works off the jobs of `benchmarks.jobs` and `benchmarks.latency`: the same job for each.

One project for all; `JOBS_CONTENDER` says whose it is, and so what is installed in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

_CELERY = ("celery", "-A", "benchmarks.contenders.jobs", "worker", "--concurrency=1")
_QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING")
_MANAGE = ("django", "procrastinate", "worker", "--concurrency=1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One way to work off jobs, each in a project of its own."""

    name: str
    kind: str
    """Which of the project's ways to send a job: see `sending`."""
    command: tuple[str, ...]
    """What follows `python -m`."""
    apps: tuple[str, ...] = ()
    """What is installed besides."""
    database: bool = False
    """Whether it keeps something in PostgreSQL."""
    needs: tuple[str, ...] = ()
    """The packages that are not there without the extra `bench`."""

    @property
    def is_there(self) -> bool:
        """Return whether all that it needs is installed."""
        return all(find_spec(each) for each in self.needs)


def on_celery(name: str, kind: str, *, pool: str = "prefork", **options: object) -> Worker:
    """Return one that is a Celery worker of one process."""
    command = (*_CELERY, f"--pool={pool}", *_QUIET)
    return Worker(name=name, kind=kind, command=command, **options)  # type: ignore[arg-type]


def motia(name: str, kind: str, *, pool: str = "prefork") -> Worker:
    """Return ours; `kind` is `kept` or `light`."""
    apps = ("rest_framework", "motia_django")
    return on_celery(name, kind, pool=pool, apps=apps, database=True)


PROCRASTINATE = Worker(
    name="Procrastinate",
    kind="procrastinate",
    command=_MANAGE,
    apps=("procrastinate.contrib.django",),
    database=True,
    needs=("procrastinate",),
)
DJANGO_TASKS = Worker(
    name="django-tasks-db",
    kind="django_tasks",
    command=("django", "db_worker", "--no-startup-delay", "--verbosity=0"),
    apps=("django_tasks", "django_tasks_db"),
    database=True,
    needs=("django_tasks", "django_tasks_db"),
)
RESULTS = on_celery(
    "Celery, django-celery-results",
    "results",
    apps=("django_celery_results",),
    database=True,
    needs=("django_celery_results",),
)
HUEY = Worker(
    name="Huey",
    kind="huey",
    command=("django", "run_huey", "--workers=1", "--worker-type=process", "--quiet"),
    apps=("huey.contrib.djhuey",),
    needs=("huey",),
)
DRAMATIQ = Worker(
    name="Dramatiq",
    kind="dramatiq",
    command=("dramatiq", "benchmarks.contenders.jobs.actors", "--processes=1", "--threads=1"),
    needs=("dramatiq",),
)
