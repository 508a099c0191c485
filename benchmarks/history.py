"""A long history of runs in PostgreSQL: the models write a sample, and SQL multiplies it."""

from __future__ import annotations

from datetime import timedelta
from hashlib import md5
from random import Random
from typing import Any

DAYS = 14
SAMPLE = 5000
OLDER_DAYS = 90
DONE = 4800
"""How many of the sample are finished, at least."""
LONG_TRACE = 500
STEPS = {
    "AuditOrders": "state",
    "ChargeOrder": "queue",
    "CountGreeting": "queue",
    "CreateOrder": "http",
    "CreateTodo": "http",
    "FollowUpFailedOrder": "queue",
    "GreetUser": "http",
    "ListTodos": "http",
    "PackOrder": "state",
    "ProcessPayment": "queue",
    "ProcessTodo": "queue",
    "ProcessUser": "queue",
    "RefreshCatalog": "cron",
    "RemindUsers": "cron",
    "ReviewLargeOrder": "queue",
    "SendEmail": "queue",
    "ShipOrder": "http",
    "ShowOrder": "state",
    **{f"Legacy{number:02}": "queue" for number in range(12)},
}
"""Thirty Steps, twelve of which are gone, and what starts each."""
ERRORS = (
    ("SendEmail", "motia_django.exceptions.Dead: 550: there is no mailbox {name}@gone.example"),
    ("SendEmail", "TimeoutError: silent.example does not answer"),
    ("SendEmail", "ConnectionError: 421: busy.example is busy, try again later"),
    ("ProcessPayment", "ValueError: The card refused {number}.00"),
    ("ProcessPayment", "ConnectionError: the provider is down"),
    ("PackOrder", "RuntimeError: No box is large enough for order {number}"),
    ("AuditOrders", "KeyError: 'status'"),
    ("ShowOrder", "KeyError: 'customer'"),
    ("ProcessUser", "TypeError: 'NoneType' object is not subscriptable"),
    ("ChargeOrder", "KeyError: 'amount'"),
    ("Legacy01", "LookupError: there is no account {number}"),
    ("Legacy02", "ZeroDivisionError: division by zero"),
)
"""A dozen kinds of errors."""
TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/steps/step.py", line {line}, in handler
    deliver(order)
  File "/srv/shop/work.py", line 25, in deliver
    raise error
"""
WEIGHTS = {"succeeded": 955, "dead": 20, "skipped": 14, "scheduled": 5, "queued": 5, "cancelled": 1}
"""How often each status comes, of a thousand."""


def fill(count: int) -> None:
    """Put this many runs of the last days into the database, with items of state beside them."""
    from django.db import connection

    _write_sample()
    with connection.cursor() as cursor:
        for statement in _statements(count):
            cursor.execute(statement)
    _write_items()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def deepen(count: int) -> None:
    """Put this many finished runs before those that `fill` has written by this connection."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'motia_run'"
            " AND indexdef NOT LIKE 'CREATE UNIQUE%'"
        )
        indexes = cursor.fetchall()
        drop = [f'DROP INDEX "{name}"' for name, _ in indexes]
        make = [definition for _, definition in indexes]
        for statement in (*drop, *_older(count), "SET maintenance_work_mem = '1GB'", *make):
            cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE")


def _write_sample() -> None:
    from motia_django import models

    random = Random(1)
    models.Run.objects.bulk_create(_run(random, number) for number in range(SAMPLE))


def _run(random: Random, number: int) -> Any:
    from django.utils import timezone

    from motia_django import models
    from motia_django.runs import new_run_id

    [status] = random.choices(list(WEIGHTS), list(WEIGHTS.values()))
    step, error = (
        ERRORS[random.randrange(12)] if status == "dead" else (random.choice(list(STEPS)), "")
    )
    text = TRACEBACK.format(line=number % 90) + error.format(name="ada", number=number)
    now, trigger = timezone.now(), STEPS[step]
    waits = status in ("scheduled", "queued")
    documents: dict[str, Any] = {
        "input": {"orderId": f"order-{number}", "lines": [{"sku": each} for each in range(10)]},
        "output": None if error else {"ok": True},
        "timeline": [{"at": at / 9, "kind": "log", "message": "Working"} for at in range(5)],
    }
    return models.Run(
        **documents,
        id=new_run_id(),
        step=step,
        trigger=trigger,
        index=2 if step == "RefreshCatalog" else 0,
        source={"cron": "0 * * * *", "state": "orders/17", "http": "POST /x"}.get(trigger, "topic"),
        status=status,
        attempt={"scheduled": number % 3, "queued": 0, "dead": 4}.get(status, 1),
        trace_id="",
        error=text if error else "",
        fingerprint=md5(f"{step} {error}".encode()).hexdigest()[:16] if error else None,
        worker="" if waits else "worker@machine",
        wake_at=now + timedelta(hours=1 + number % 48) if waits else None,
        started_at=None if waits else now,
        finished_at=None if waits else now + timedelta(milliseconds=number),
    )


def _statements(count: int) -> list[str]:
    """Return the SQL that puts the multiplied sample in the sample's place."""
    return [
        *_functions(count, DAYS, "interval '0'"),
        "CREATE TEMP TABLE sample AS SELECT row_number() OVER () - 1 AS n, * FROM motia_run",
        "TRUNCATE motia_run",
        _multiplied(count, "sample", SAMPLE),
        _keys(""),
        "ANALYZE motia_run",
        f"UPDATE motia_run SET trace_id = repeat('f', 32) WHERE id IN"
        f" (SELECT id FROM motia_run ORDER BY id DESC LIMIT {LONG_TRACE})",
    ]


def _older(count: int) -> list[str]:
    """Return the SQL that multiplies what of the sample is finished, before all that there is."""
    return [
        "CREATE TEMP TABLE first AS SELECT min(id::text)::uuid AS id FROM motia_run",
        "DROP FUNCTION pg_temp.run_id, pg_temp.born",
        *_functions(count, OLDER_DAYS, f"interval '{DAYS + 1} days'"),
        "CREATE TEMP TABLE done AS SELECT * FROM sample WHERE finished_at IS NOT NULL",
        f"DELETE FROM done WHERE n NOT IN (SELECT n FROM done ORDER BY n LIMIT {DONE})",
        "UPDATE done SET n = place FROM (SELECT n AS was, row_number() OVER (ORDER BY n) - 1"
        " AS place FROM done) AS counted WHERE n = was",
        _multiplied(count, "done", DONE),
        _keys(" AND id < (SELECT id FROM first)"),
    ]


def _functions(count: int, days: int, before: str) -> list[str]:
    """Return the SQL for when the run of a number was born, and for its id."""
    apart = f"{days * 86_400 / count:.6f}"
    return [
        f"CREATE FUNCTION pg_temp.born(g int) RETURNS timestamptz STABLE LANGUAGE sql AS"
        f" $$ SELECT now() - {before} - ({count} - g) * {apart} * interval '1 s' $$",
        "CREATE FUNCTION pg_temp.run_id(g int) RETURNS uuid STABLE LANGUAGE sql AS $$ SELECT"
        " (lpad(to_hex(floor(extract(epoch FROM pg_temp.born(g)) * 1000)::bigint), 12, '0')"
        " || '7' || lpad(to_hex(g % 4096), 3, '0') || '8' || lpad(to_hex(g), 15, '0'))::uuid $$",
    ]


def _multiplied(count: int, sample: str, size: int) -> str:
    """Return the SQL that inserts so many runs like those of a sample of this size."""
    from motia_django import models

    own = {
        "id": "pg_temp.run_id(g)",
        "trace_id": f"md5('{sample}' || g / 8)",
        "parent_id": "CASE WHEN g % 8 > 0 THEN pg_temp.run_id(g - g % 8) END",
        "depth": "LEAST(g % 8, 1)",
        "created_at": "pg_temp.born(g)",
        "started_at": "pg_temp.born(g) + interval '0.1 s' + (t.started_at - t.started_at)",
        "finished_at": "pg_temp.born(g) + interval '0.1 s' + (t.finished_at - t.started_at)",
    }
    columns = [field.column for field in models.Run._meta.concrete_fields]
    values = ", ".join(own.get(str(each), f't."{each}"') for each in columns)
    names = ", ".join(f'"{each}"' for each in columns)
    return (
        f"INSERT INTO motia_run ({names}) SELECT {values} FROM generate_series(1, {count}) AS g"
        f" JOIN {sample} t ON t.n = (g * 7919::bigint) % {size} ORDER BY g"
    )


def _keys(narrowed: str) -> str:
    return (
        "INSERT INTO motia_run_key (run_id, name, value) SELECT id, 'orderId', 'order-' ||"
        f" row_number() OVER () FROM motia_run WHERE depth = 0{narrowed}"
    )


def _write_items() -> None:
    from motia_django import models

    value: Any = {"customer": "Ada", "amount": 5}
    models.StateItem.objects.bulk_create(
        models.StateItem(group=f"group-{number % 200}", key=f"key-{number}", value=value)
        for number in range(20_000)
    )
    models.StreamItem.objects.bulk_create(
        models.StreamItem(stream="orders", group="board", item=f"{number}", value=value)
        for number in range(5000)
    )
