"""Fill the sample project with something of everything to look at; print where it is, as JSON.

Run it with CELERY_TASK_ALWAYS_EAGER=1: then the Steps run here, and no worker is needed.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from typing import Any

import django


def main() -> None:
    """Make a user who is logged in, and what the pages show."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.browser.settings")
    django.setup()
    known = fill()
    _late()
    sys.stdout.write(f"{json.dumps(known)}\n")


def fill() -> dict[str, str]:
    """Fill the database, and return where things are."""
    _count()
    return {"session": _session(), **_worked(), **_waiting(), **_batches(), **_items()}


def _count() -> None:
    """Have requests been refused, and messages unheard, some with a name that is long."""
    from motia_django import tallies

    for topic in ("order.payed", "a.topic.with.a.name.that.is.longer.than.a.phone.is.wide" * 2):
        tallies.count_unheard(topic, "CreateOrder")
    tallies.count_unheard("order.payed", "")
    tallies.count_refused("CreateOrder", 403)
    tallies.write()


def _session() -> str:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    client.force_login(User.objects.create_superuser("admin", "admin@example.com", "admin"))
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def _worked() -> dict[str, str]:
    """Let Steps run, well and badly."""
    from django.test import Client

    from motia_django import batches, models, operations
    from motia_django.ledger.selections import Selection

    shop = Client()
    order = {"customer": "ada@gone.example", "amount": 250}
    order_id = shop.post("/orders", order, content_type="application/json").json()["orderId"]
    shop.put(f"/orders/{order_id}/ship")
    shop.post("/orders", {"customer": "eve", "amount": 20_000}, content_type="application/json")
    shop.post("/orders", {"customer": "bob", "amount": 9_000}, content_type="application/json")
    for amount in ("much", None):
        _enqueue("payment.requested", {"orderId": "17", "amount": amount, "password": "hush"})
    runs = models.Run.objects.order_by("id")
    died = runs.filter(step="ProcessPayment", trigger="queue", status="dead")
    operations.discard(died[1].id, by="the filling", reason="a mistake")
    return {
        "dead": str(died[0].id),
        "error": str(died[0].fingerprint),
        "batch": str(batches.begin("redrive", Selection(), by="the filling", total=9).id),
        "bounced": str(runs.get(step="SendEmail").id),
        "asked": str(runs.filter(step="CreateOrder")[0].id),
        "spent": str(runs.get(step="PackOrder", status="dead").id),
        "charged": str(runs.filter(step="ChargeOrder", status="succeeded")[0].id),
        "mark": str(died[0].fingerprint),
        "trace": runs.filter(step="CreateOrder")[0].trace_id,
    }


def _enqueue(topic: str, data: Any) -> None:
    from motia_django import enqueue

    enqueue({"topic": topic, "data": data})


def _waiting() -> dict[str, str]:
    """Leave runs that nobody works on: under way, queued, without a Step; and a pause."""
    from django.utils import timezone

    from motia_django import models, operations
    from motia_django.runs import new_run_id

    now = timezone.now()
    models.Worker.objects.create(name="here@machine")
    models.Worker.objects.create(name="lost@machine", seen_at=now - timedelta(hours=1))
    usual = {"trigger": "queue", "source": "topic", "trace_id": "b" * 32, "attempt": 1}
    rows: dict[str, dict[str, Any]] = {
        "queued": {"step": "CountGreeting", "status": "queued", "attempt": 0},
        "waiting": {"step": "CountGreeting", "status": "queued", "attempt": 0},
        "retrying": {"step": "SendEmail", "status": "scheduled", "wake_at": now, "attempt": 2},
        "running": {"step": "PackOrder", "status": "running", "started_at": now, "worker": "w@m"},
        "late": {
            "step": "RemindUsers",
            "trigger": "cron",
            "status": "succeeded",
            "created_at": now - timedelta(hours=5),
        },
        "gone": {"step": "<b>Gone</b>" * 9, "status": "dead", "error": "x" * 2000},
    }
    ids = {name: new_run_id() for name in rows}
    for name, values in rows.items():
        models.Run.objects.create(**{"id": ids[name], **usual, **values})
    operations.pause("RefreshCatalog", by="the filling", reason="the supplier is down")
    models.Pause.objects.create(step="WasThere", by="the filling")
    said = {"step": "RemindUsers", "index": 0, "declared": "0 3 * * *", "expression": "@hourly"}
    told = {"timed_at": now, "timed_by": "the filling", "timing_reason": "long " * 40}
    models.Override.objects.create(**said, **told, paused_at=now, pause_reason="a bill")
    return {name: str(run_id) for name, run_id in ids.items()}


def _late() -> None:
    """Leave a schedule whose last tick was yesterday."""
    from django.utils import timezone

    from motia_django import models
    from motia_django.runs import new_run_id

    begun = timezone.now() - timedelta(days=1)
    tick: Any = {"step": "RefreshCatalog", "trigger": "cron", "index": 2, "trace_id": "c" * 32}
    models.Run.objects.create(id=new_run_id(), status="succeeded", created_at=begun, **tick)


def _batches() -> dict[str, str]:
    """One that goes on, and one that ended with refusals."""
    from django.utils import timezone

    from motia_django import models
    from motia_django.ledger.selections import Selection

    usual: dict[str, Any] = {
        "deed": "redrive",
        "by": "admin (admin)",
        "total": 9,
        "reason": "the shop is mended",
    }
    usual["selection"] = Selection(wanted={"step": "ProcessPayment"}).to_json()
    going = models.Batch.objects.create(**usual, done=3, started_at=timezone.now())
    refused: Any = {"the input of this run is invalid": 2}
    now = timezone.now()
    ended = models.Batch.objects.create(
        **usual, done=7, refused=2, reasons=refused, started_at=now, finished_at=now
    )
    return {"batch": str(going.pk), "ended": str(ended.pk)}


def _items() -> dict[str, str]:
    from motia_django import models, state

    state.set("a group", "a/key?&#<b>", {"password": "hush", "text": "long " * 200}, ttl=86_400)
    return {
        "item": str(models.StateItem.objects.get(group="a group").pk),
        "streamed": str(models.StreamItem.objects.all()[0].pk),
    }


if __name__ == "__main__":
    main()
