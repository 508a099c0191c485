"""Before deploying: what of the ledger's database will hurt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from django import conf
from django.apps import apps
from django.core import checks
from django.db import DEFAULT_DB_ALIAS, connections, router
from django.utils import timezone

from motia_django import consumers, ledger, models, prepared
from motia_django.celery_app import project_app
from motia_django.checks.broker import named
from motia_django.checks.database_facts import Facts, facts_of
from motia_django.conf import ORM_STATE, settings
from motia_django.exceptions import some_of
from motia_django.ledger.pulse import Place
from motia_django.moments import utc
from motia_django.registry import registry

Warnings = Iterator[checks.CheckMessage]

NO_DATABASE = "motia.W017"
NOT_MIGRATED = "motia.W018"
REOPENED = "motia.W019"
POOLED = "motia.W020"
ONE_WRITER = "motia.W021"
ISOLATED = "motia.W022"
APART = "motia.W023"
NOT_DEFAULT = "motia.W024"
NO_WORKER = "motia.W025"
CLOCKS = "motia.W026"
NO_CONSUMER = "motia.W028"
STRANDED = "motia.W034"
FORGOTTEN = "motia.W035"
TURNED = "motia.W042"
PLANNED_ANEW = "motia.I003"

_UNUSABLE = ("repeatable read", "serializable")
_RECENTLY = timedelta(minutes=1)
_WAITING = ("IMMEDIATE", "EXCLUSIVE")
_SKEW = 2.0
"""Seconds by which clocks may differ, unless that is much of a lease."""
_SKEW_OF_LEASE = 0.1
_NAMED = 5


def database() -> Warnings:
    """Warn of the database's settings, and of what it says when it is asked."""
    if not len(registry()):
        return
    yield from _routes()
    yield from _connections()
    yield from _zone()
    try:
        facts = facts_of(ledger.database())
    except Exception as error:
        yield _no_database(error)
        return
    if facts.unmigrated:
        yield _not_migrated(facts.unmigrated)
        return
    yield from _workers(facts.workers)
    yield from _isolation(facts)
    yield from _clocks(facts)
    if facts.strays.steps:
        yield _stranded(facts.strays.steps)
    if facts.strays.triggers:
        yield _untaken(facts.strays.triggers)
    if facts.forgotten:
        yield _forgotten(facts.forgotten)


def _routes() -> Warnings:
    """Warn of tables that are not where the runs are, and of runs that are not on `default`."""
    home = ledger.database()
    models = [model for model in apps.get_app_config("motia").get_models() if model._meta.managed]
    if settings().state["BACKEND"] != ORM_STATE:
        models = [model for model in models if model._meta.model_name != "stateitem"]
    elsewhere = [
        f"{model._meta.db_table} on {router.db_for_write(model)!r}"
        for model in models
        if router.db_for_write(model) != home
    ]
    if elsewhere:
        yield _apart(home, elsewhere)
    if home != DEFAULT_DB_ALIAS:
        yield _not_default(home)


def _connections() -> Warnings:
    """Warn of connections that are opened for each run."""
    alias, conf = ledger.database(), project_app().conf
    connection = connections[alias]
    if not registry().in_background() or connection.vendor == "sqlite" or conf.task_always_eager:
        return
    if connection.settings_dict.get("OPTIONS", {}).get("pool"):
        if "prefork" in str(conf.worker_pool):
            yield _pooled(alias)
    elif not conf.get("CELERY_DB_REUSE_MAX"):
        yield _reopened()
    if connection.vendor == "postgresql" and not prepared.prepares(connection):
        yield _planned_anew(alias)


def _zone() -> Warnings:
    """Warn of times that are kept without their zone, where the clocks are turned."""
    zone, year = timezone.get_default_timezone(), datetime.now(UTC).year
    offsets = {zone.utcoffset(datetime(year, month, 1)) for month in range(1, 13)}
    if not conf.settings.USE_TZ and len(offsets) > 1:
        yield _turned(str(zone))


def _workers(workers: Sequence[models.Worker]) -> Warnings:
    """Warn if nobody does upkeep or consumes a queue, or of too many workers for SQLite."""
    conf, now = project_app().conf, timezone.now()
    if not registry().in_background() or conf.task_always_eager:
        return
    seen = [each for each in workers if each.seen_at > now - _RECENTLY]
    if not seen:
        yield _no_worker(max((each.seen_at for each in workers), default=None))
    for queue, steps in consumers.unconsumed(seen).items():
        yield _no_consumer(queue, steps)
    connection = connections[ledger.database()]
    if connection.vendor == "sqlite" and (len(seen) > 1 or conf.worker_concurrency != 1):
        mode = connection.settings_dict.get("OPTIONS", {}).get("transaction_mode")
        yield _one_writer(len(seen), waits=str(mode).upper() in _WAITING)


def _isolation(facts: Facts) -> Warnings:
    if facts.isolation in _UNUSABLE:
        yield _isolated(facts.isolation)


def _clocks(facts: Facts) -> Warnings:
    """Warn of clocks apart: times are written by one machine and read by another."""
    most = min(_SKEW, settings().lease * _SKEW_OF_LEASE)
    if abs(facts.ahead) > most:
        yield _clock("The database", facts.ahead)
    now = timezone.now()
    worker = max(((each.seen_at - now).total_seconds() for each in facts.workers), default=0)
    if worker > most:
        yield _clock("A worker", worker)


def _turned(zone: str) -> checks.CheckMessage:
    return checks.Warning(
        f"USE_TZ is False, so times are kept as clocks in {zone} show them, and those are turned"
        " twice a year. When they are turned forward, what runs just then is taken for lost and run"
        " twice, and what is due within that hour is due at once; when they are turned back, what"
        " is due then comes up to an hour late.",
        hint='Set USE_TZ = True, or TIME_ZONE = "UTC". Where neither can be, stop the workers while'
        " the clocks are turned forward, and silence this.",
        id=TURNED,
    )


def _no_database(error: Exception) -> checks.CheckMessage:
    return checks.Warning(
        f"The ledger's database {ledger.database()!r} cannot be asked:"
        f" {type(error).__name__}: {error}",
        hint="Run this check where the database can be reached, with the settings of production.",
        id=NO_DATABASE,
    )


def _not_migrated(missing: Sequence[str]) -> checks.CheckMessage:
    return checks.Warning(
        f"The database {ledger.database()!r} lacks migrations of motia_django:"
        f" {', '.join(missing)}.",
        hint="Run manage.py migrate before web, workers and beat are started.",
        id=NOT_MIGRATED,
    )


def _reopened() -> checks.CheckMessage:
    return checks.Warning(
        "Celery closes the database connection before and after each task, and opening one takes"
        " longer than all queries of a run: some 10 ms on PostgreSQL.",
        hint="Set CELERY_DB_REUSE_MAX = 1000.",
        id=REOPENED,
    )


def _pooled(alias: str) -> checks.CheckMessage:
    return checks.Warning(
        f"The database {alias!r} has a connection pool, which prefork workers close with each"
        " task: that takes longer than having no pool.",
        hint='Where workers run, take "pool" out of OPTIONS and set CELERY_DB_REUSE_MAX = 1000; or'
        ' start them with -P threads and set CELERY_WORKER_POOL = "threads" to say so here.',
        id=POOLED,
    )


def _planned_anew(alias: str) -> checks.CheckMessage:
    return checks.Info(
        f"PostgreSQL parses and plans the few statements of every run each time on {alias!r}, which"
        " takes about as long as it takes to execute them.",
        hint='Set MOTIA = {"PREPARE": True}, which needs psycopg 3. Behind PgBouncer in its'
        " transaction mode it needs version 1.21 and max_prepared_statements; else silence this.",
        id=PLANNED_ANEW,
    )


def _one_writer(workers: int, *, waits: bool) -> checks.CheckMessage:
    who = f"{workers} workers do" if workers > 1 else "a worker of several processes does"
    until = (
        ""
        if waits
        else ' In any case set OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 20}, or'
        ' writers that meet fail with "database is locked" instead of waiting.'
    )
    return checks.Warning(
        f"The ledger is on SQLite, where one process writes at a time, and {who}.",
        hint="Use PostgreSQL, MariaDB or MySQL; for a small site, one worker with"
        f" CELERY_WORKER_CONCURRENCY = 1 will do.{until}",
        id=ONE_WRITER,
    )


def _isolated(level: str) -> checks.CheckMessage:
    return checks.Warning(
        f"Transactions on {ledger.database()!r} are {level}, where two that meet do not wait for"
        " one another: one fails. Runs with an order or a limit, writes to one item of state, and"
        " upkeep meet all the time.",
        hint="Use read committed, Django's default: take isolation_level out of OPTIONS, and"
        " whatever the server or the role has instead of its own default.",
        id=ISOLATED,
    )


def _apart(home: str, elsewhere: Sequence[str]) -> checks.CheckMessage:
    return checks.Warning(
        f"Runs are kept on the database {home!r}, and database routers put"
        f" {', '.join(elsewhere)}: what is written there does not commit together with runs.",
        hint="Let the routers give one database for every model of the app label 'motia'.",
        id=APART,
    )


def _not_default(home: str) -> checks.CheckMessage:
    return checks.Warning(
        f"Database routers put runs on {home!r}. A message commits together with rows of that"
        " database only: if a transaction on another one is rolled back, its messages are sent all"
        " the same.",
        hint="Let the routers leave the app label 'motia' where the rows are that Steps and views"
        " write; if that is so, silence this.",
        id=NOT_DEFAULT,
    )


def _no_worker(last: datetime | None) -> checks.CheckMessage:
    # One that is stopped takes its sign with it; that of one that was lost is kept for a day.
    lost = f" One that was lost was last seen at {utc(last):%Y-%m-%d %H:%M:%S %Z}." if last else ""
    return checks.Warning(
        "No worker is alive: nobody runs background Steps, sends what is due, or rescues what was"
        f" lost.{lost}",
        hint="Start workers with `celery -A <project> worker`. If this check runs before they are"
        " started, it is to be expected.",
        id=NO_WORKER,
    )


def _no_consumer(queue: str, steps: Sequence[str]) -> checks.CheckMessage:
    return checks.Warning(
        f"No worker consumes the Celery queue {queue!r}, which runs of {named(steps)} go to: they"
        " stay queued.",
        hint=f"Start a worker with `-Q {queue}`. If that is not the queue that was meant, mend the"
        " trigger's `queue`, or CELERY_TASK_ROUTES.",
        id=NO_CONSUMER,
    )


def _stranded(runs: Mapping[str, int]) -> checks.CheckMessage:
    names = some_of([f"{step} ({times})" for step, times in runs.items()], _NAMED)
    return checks.Warning(
        f"Runs wait, or are dead, of Steps that are not there any more: {names}. No worker"
        " will take them.",
        hint="Give them to another Step: motia_steps redrive --step OLD --to NEW; or cancel or"
        " discard them. `motia_steps runs --no-step` lists them.",
        id=STRANDED,
    )


def _untaken(runs: Mapping[Place, int]) -> checks.CheckMessage:
    places = [f"{step} of its {kind} trigger {source}" for step, kind, source in runs]
    numbered = [f"{place} ({times})" for place, times in zip(places, runs.values(), strict=True)]
    return checks.Warning(
        f"Runs wait, or are dead, of triggers that their Steps do not have any more:"
        f" {some_of(numbered, _NAMED)}. No worker will take them.",
        hint="Have their Step take them as of the trigger that it has now: motia_steps redrive"
        " --step STEP --topic OLD --to STEP; or cancel or discard them.",
        id=STRANDED,
    )


def _forgotten(scopes: Mapping[str, datetime]) -> checks.CheckMessage:
    names = [f"{scope} (until {utc(until):%Y-%m-%d %H:%M %Z})" for scope, until in scopes.items()]
    first = next(iter(scopes))
    return checks.Warning(
        "Answers are remembered by the keys of requests (idempotency) to a Step, or a path, that is"
        f" not there any more: {some_of(names, _NAMED)}. A request that comes again is handled once"
        " more.",
        hint="Let whoever takes its place go on with its keys:"
        f' "idempotency": {{..., "scope": "{first}"}}. Where nobody does, silence this until they'
        " have expired.",
        id=FORGOTTEN,
    )


def _clock(whose: str, ahead: float) -> checks.CheckMessage:
    way = "ahead of" if ahead > 0 else "behind"
    return checks.Warning(
        f"{whose} has a clock that is {abs(ahead):.1f} seconds {way} this machine's. Leases,"
        " delays and schedules are as exact as clocks agree; apart by more than a lease, running"
        " Steps are taken for lost and run twice.",
        hint="Let a time service (chrony, systemd-timesyncd) set the clocks of all machines.",
        id=CLOCKS,
    )
