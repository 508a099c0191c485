"""A long history of runs in PostgreSQL: the models write a sample, and SQL multiplies it."""

from __future__ import annotations

from datetime import timedelta
from hashlib import md5
from random import Random
from typing import Any

DAYS = 14
SAMPLE = 5000
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
    from motia_django import models

    own = {
        "id": "pg_temp.run_id(g)",
        "trace_id": "md5((g / 8)::text)",
        "parent_id": "CASE WHEN g % 8 > 0 THEN pg_temp.run_id(g - g % 8) END",
        "depth": "LEAST(g % 8, 1)",
        "created_at": "pg_temp.born(g)",
        "started_at": "pg_temp.born(g) + interval '0.1 s' + (t.started_at - t.started_at)",
        "finished_at": "pg_temp.born(g) + interval '0.1 s' + (t.finished_at - t.started_at)",
    }
    columns = [field.column for field in models.Run._meta.concrete_fields]
    values = ", ".join(own.get(str(each), f't."{each}"') for each in columns)
    names = ", ".join(f'"{each}"' for each in columns)
    apart = f"{DAYS * 86_400 / count:.6f}"
    return [
        f"CREATE FUNCTION pg_temp.born(g int) RETURNS timestamptz STABLE LANGUAGE sql AS"
        f" $$ SELECT now() - ({count} - g) * {apart} * interval '1 s' $$",
        "CREATE FUNCTION pg_temp.run_id(g int) RETURNS uuid STABLE LANGUAGE sql AS $$ SELECT"
        " (lpad(to_hex(floor(extract(epoch FROM pg_temp.born(g)) * 1000)::bigint), 12, '0')"
        " || '7' || lpad(to_hex(g % 4096), 3, '0') || '8' || lpad(to_hex(g), 15, '0'))::uuid $$",
        "CREATE TEMP TABLE sample AS SELECT row_number() OVER () - 1 AS n, * FROM motia_run",
        "TRUNCATE motia_run",
        f"INSERT INTO motia_run ({names}) SELECT {values} FROM generate_series(1, {count}) AS g"
        f" JOIN sample t ON t.n = (g * 7919::bigint) % {SAMPLE} ORDER BY g",
        "INSERT INTO motia_run_key (run_id, name, value)"
        " SELECT id, 'orderId', 'order-' || row_number() OVER () FROM motia_run WHERE depth = 0",
        "ANALYZE motia_run",
        f"UPDATE motia_run SET trace_id = repeat('f', 32) WHERE id IN"
        f" (SELECT id FROM motia_run ORDER BY id DESC LIMIT {LONG_TRACE})",
    ]


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
