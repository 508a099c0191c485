"""The plan of every query that the ledger asks often, looked at in a table of many runs.

    python -m benchmarks.plans --rows 1000000

fills a database of its own on SQLite, PostgreSQL and MariaDB, lets the ledger do its work once, and
has the database explain each statement that this took. One that would read a whole table is a
failure.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

DATABASES = ("sqlite", "postgresql", "mariadb")
ERRORS = 40
"""Different errors that runs have died of."""
TABLES = ("motia_run", "motia_run_key", "motia_turn", "motia_pause")
STEPS = [f"Step{number}" for number in range(100)]
SHARES = {"succeeded": 93, "dead": 3, "skipped": 1, "scheduled": 1, "queued": 1, "running": 1}
DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the database would carry out one statement."""

    doing: str
    statement: str
    plan: str
    reads_all: bool
    """Whether a table is read from end to end."""
    milliseconds: float


def fill(rows: int) -> None:
    """Put many runs of every status into the tables, and a turn for some that wait."""
    from motia_django import models

    chance = random.Random(17)
    began = datetime.now().astimezone() - timedelta(days=DAYS)
    for first in range(0, rows, 5000):
        numbers = range(first, min(first + 5000, rows))
        batch = [_row(began, number, rows, chance) for number in numbers]
        models.Run.objects.bulk_create(batch)
        waiting = [each for each in batch if each.limited]
        models.Turn.objects.bulk_create(
            models.Turn(run_id=each.id, lane=f"lane{chance.randrange(50)}", pool=f"pool{each.step}")
            for each in waiting
        )
        # A table of a few hundred rows is best read from end to end, however it is asked.
        others = (UUID(int=1 << 100 | number) for number in numbers)
        models.Turn.objects.bulk_create(
            models.Turn(run_id=each, lane=f"lane of {each}") for each in others
        )
        models.RunKey.objects.bulk_create(
            models.RunKey(run_id=each.id, name=name, value=str(value))
            for number, each in zip(numbers, batch, strict=True)
            if number % 10 < 2
            for name, value in (("orderId", number // 30), ("shop", number % 70))
        )


def plans() -> list[Plan]:
    """Do each thing that the ledger does all the time, and have its statements explained."""
    return [plan for doing, act in _acts().items() for plan in _explained(doing, act)]


def _row(began: datetime, number: int, rows: int, chance: random.Random) -> Any:
    from motia_django import models

    born = began + timedelta(days=DAYS) * (number / rows)
    [status] = chance.choices(list(SHARES), list(SHARES.values()))
    unfinished = status in ("scheduled", "queued", "running")
    wakes = datetime.now().astimezone() + timedelta(seconds=chance.uniform(-60, 3600))
    values: dict[str, Any] = {"input": {"number": number}, "timeline": []}
    return models.Run(
        **values,
        id=UUID(int=int(born.timestamp() * 1000) << 80 | 7 << 76 | number << 8),
        step=chance.choice(STEPS),
        trigger="queue",
        status=status,
        trace_id=f"{number // 5:032x}",
        limited=unfinished and number % 2 == 0,
        created_at=born,
        wake_at=wakes if unfinished else None,
        finished_at=None if unfinished else born + timedelta(seconds=1),
        fingerprint=f"{number % ERRORS:016x}" if status == "dead" else None,
    )


def _acts() -> dict[str, Callable[[], object]]:
    """Return what the ledger does often, by its name."""
    from motia_django import ledger, models
    from motia_django.delivery import Concurrency, Delivery, Turn
    from motia_django.ledger import meters, pulse
    from motia_django.ledger.figures import measure
    from motia_django.ledger.selections import Selection
    from motia_django.runs import Status

    def some(status: str, **filters: Any) -> UUID:
        found = models.Run.objects.filter(status=status, **filters).values_list("id", flat=True)
        return found[7]

    plain, limited = some("queued", limited=False), some("queued", limited=True)
    running = ledger.find(some("running", limited=False))
    queued, dead = ledger.rows(id=plain).get(), ledger.rows(id=some("dead")).get()
    assert running is not None
    error = f"{3:016x}"
    chosen = Selection(wanted={"status__in": ["dead"], "fingerprint": error})
    key_sweep = ledger.KeySweep()
    models.RunKey.objects.create(run_id=UUID(int=1), name="orderId", value="of no run")
    delivery, lease = Delivery(concurrency=Concurrency(limit=3)), timedelta(seconds=60)

    def claim(run_id: UUID, **values: Any) -> object:
        values |= {"worker": "w", "lease": lease, "delivery_of": lambda run: delivery}
        return ledger.claim(run_id, **values)

    def listed(**filters: Any) -> object:
        rows = ledger.rows(**filters)
        return list(rows[:50]), rows.order_by()[:10_001].count()

    return {
        "claim": lambda: claim(plain),
        "claim at once": lambda: claim(plain, step=queued.step),
        "claim in turn": lambda: claim(limited),
        "renew": lambda: ledger.renew(running, lease=lease),
        "finish": lambda: ledger.finish(running, ledger.lost_outcome(running), delivery),
        "is anything due": ledger.are_overdue,
        "what is due": lambda: ledger.take_due(200),
        "what lost its worker": lambda: ledger.take_lost(200),
        "who is next in a lane": lambda: ledger.call_up([(Turn(lane="lane7"), None)]),
        "who is next in a pool": lambda: ledger.call_up([(Turn(pool="poolStep7"), 3)]),
        "keys of no run": lambda: [*map(key_sweep.piece, (200, 200))],
        "prune": lambda: ledger.prune(Status.SUCCEEDED, 14, limit=200),
        "discard": lambda: ledger.discard(dead, {"kind": "discarded"}),
        "a trace": lambda: list(ledger.trace(dead.trace_id)),
        "the newest runs": lambda: list(ledger.rows()[:50]),
        "the newest runs of a Step": lambda: list(ledger.rows(step="Step7")[:50]),
        "errors of dead runs": ledger.dead_by_error,
        "runs of an error": lambda: list(ledger.rows(fingerprint=error, status="dead")[:50]),
        "runs of a batch": lambda: list(chosen.rows().values_list("id", flat=True)[:500]),
        "the newest dead runs": lambda: list(ledger.rows(status="dead")[:50]),
        "what failed in the last hour": pulse.failing,
        "what waits for longest": pulse.longest_queued,
        "the figures of an hour": lambda: measure(timedelta(hours=1)),
        "the figures of a week": lambda: measure(timedelta(days=7)),
        "a Step's figures of a week": lambda: measure(timedelta(days=7), "Step7"),
        "the metrics' window": lambda: meters.window(timedelta(minutes=5)),
        "the metrics' counts": meters.waiting,
        "the metrics' oldest": meters.longest_waits,
        "the runs of an index key": lambda: listed(id__in=ledger.found_by_key("orderId=700")),
        "the runs of an index key that many have": lambda: listed(id__in=ledger.found_by_key("10")),
        "the runs of a flow": lambda: listed(step__in=STEPS[:5]),
        "the dead runs of a Step": lambda: listed(step="Step7", status="dead"),
        "the runs between two times": lambda: listed(id__gte=plain, id__lt=dead.id),
        "is an earlier tick's run unfinished": lambda: ledger.unfinished(running),
        "resume": lambda: ledger.resume("Step7"),
    }


def _explained(doing: str, act: Callable[[], object]) -> Iterator[Plan]:
    """Do something in a transaction that is undone, and explain what was asked for it."""
    from django.db import connection, transaction
    from django.test.utils import CaptureQueriesContext

    began = time.perf_counter()
    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        act()
        transaction.set_rollback(True)
    took = (time.perf_counter() - began) * 1000
    for query in captured.captured_queries:
        statement = query["sql"]
        if any(table in statement for table in TABLES) and not statement.startswith("INSERT"):
            plan, reads_all = _explain(statement)
            yield Plan(
                doing=doing, statement=statement, plan=plan, reads_all=reads_all, milliseconds=took
            )


def _explain(statement: str) -> tuple[str, bool]:
    """Return a statement's plan in a line, and whether it reads a large table from end to end."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"{_EXPLAIN[connection.vendor]} {statement.replace('%', '%%')}")
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return _READ[connection.vendor](rows)


def _read_sqlite(rows: list[dict[str, Any]]) -> tuple[str, bool]:
    lines = [row["detail"] for row in rows]
    scans = (each.startswith("SCAN motia_") and "INDEX" not in each for each in lines)
    return "; ".join(lines), any(
        scan and "motia_pause" not in line for scan, line in zip(scans, lines, strict=True)
    )


def _read_postgresql(rows: list[dict[str, Any]]) -> tuple[str, bool]:
    [found] = rows[0].values()
    nodes = list(_nodes((json.loads(found) if isinstance(found, str) else found)[0]["Plan"]))
    scans = any(
        node["Node Type"] == "Seq Scan" and node["Relation Name"] in _LARGE for node in nodes
    )
    return ", ".join(_named(node) for node in nodes), scans


def _read_mariadb(rows: list[dict[str, Any]]) -> tuple[str, bool]:
    scans = any(row["type"] == "ALL" and row["table"] in _LARGE for row in rows)
    return "; ".join(f"{row['table']} {row['type']} {row['key']}" for row in rows), scans


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", []):
        yield from _nodes(inner)


def _named(node: dict[str, Any]) -> str:
    return f"{node['Node Type']} {node.get('Index Name', node.get('Relation Name', ''))}".strip()


_LARGE = ("motia_run", "motia_turn", "motia_run_key", "U0")
_EXPLAIN = {
    "sqlite": "EXPLAIN QUERY PLAN",
    "postgresql": "EXPLAIN (FORMAT JSON)",
    "mysql": "EXPLAIN",
}
_READ = {"sqlite": _read_sqlite, "postgresql": _read_postgresql, "mysql": _read_mariadb}


def main() -> int:
    """Look at the plans on each database, each in a process of its own; 1 if one reads a table."""
    parser = argparse.ArgumentParser("python -m benchmarks.plans", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--databases", default=",".join(DATABASES))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        return _look_here(options.rows)
    with tempfile.TemporaryDirectory() as folder:
        ended = [_look(name, options.rows, folder) for name in options.databases.split(",")]
    return max(ended)


def _look(name: str, rows: int, folder: str) -> int:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "benchmarks.chaos.project.settings",
        "CHAOS_DATABASE": json.dumps(_database(name, folder)),
        "CHAOS_BROKER": "memory://",
    }
    print(f"== {name}, {rows:,} runs", flush=True)
    again = [sys.executable, "-m", "benchmarks.plans", "--here", "--rows", str(rows)]
    return subprocess.run(again, env=environment).returncode


def _database(name: str, folder: str) -> dict[str, Any]:
    from tests import servers

    if name == "postgresql":
        return servers.postgresql_settings("plans")
    if name == "mariadb":
        return servers.mariadb_settings("plans")
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/plans.sqlite3"}


def _look_here(rows: int) -> int:
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    call_command("migrate", verbosity=0)
    fill(rows)
    with connection.cursor() as cursor:
        tables = ", ".join(_LARGE[:3])
        cursor.execute(f"ANALYZE TABLE {tables}" if connection.vendor == "mysql" else "ANALYZE")
    found = plans()
    for each in found:
        mark = "READS ALL" if each.reads_all else "ok"
        print(f"{mark:9} {each.milliseconds:8.1f} ms  {each.doing}: {each.plan}")
    return int(any(each.reads_all for each in found))


if __name__ == "__main__":
    raise SystemExit(main())
