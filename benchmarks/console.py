"""What the console costs over a million runs: the queries and the server's time of each page.

    python -m benchmarks.console

fills a PostgreSQL database and asks for every page that `tests.browser.console_pages` lists, as a
superuser, in one process. It ends with 1 if a page makes more than 20 queries or takes longer than
300 ms; the times are medians of five.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks import report

MOST_QUERIES = 20
LONGEST = 0.3
COLUMNS = ("page", "queries", "median, ms", "slowest query, ms")
PACKAGES = ("django", "psycopg")

Ask = Callable[[], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one page took; seconds."""

    page: str
    queries: int
    took: float
    slowest: float
    sql: str
    """The slowest query."""

    @property
    def is_bad(self) -> bool:
        """Whether it is over a limit."""
        return self.queries > MOST_QUERIES or self.took > LONGEST


def measured(page: str, ask: Ask, rounds: int) -> Finding:
    """Ask for a page, once to see its queries, then as often as there are rounds."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    ask()
    with CaptureQueriesContext(connection) as queries:
        status = ask().status_code
    assert status == 200, f"{page}: {status}"
    slowest = max(queries.captured_queries, key=lambda query: float(query["time"]))
    return Finding(
        page=page,
        queries=len(queries),
        took=median(_took(ask) for _ in range(rounds)),
        slowest=float(slowest["time"]),
        sql=str(slowest["sql"]),
    )


def _took(ask: Ask) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def pages() -> dict[str, Ask]:
    """Return what is asked for, by name: every page, and the question about all dead letters."""
    from django.contrib.auth.models import User
    from django.test import Client

    from tests.browser import console_pages

    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    known = _known()
    asks: dict[str, Ask] = {}
    for address in console_pages.addresses():
        path = console_pages.path(address, known)
        name = address.removeprefix("motia_").replace("|", " ").strip()
        asks[name] = lambda path=path: client.get(path)  # type: ignore[misc]
    return {**asks, **_questions(client)}


def _questions(client: Any) -> dict[str, Ask]:
    """Return the pages that ask before something is done to all dead letters."""
    from django.urls import reverse

    path = reverse("admin:motia_run_changelist") + "?status=dead"
    asked = {"index": "0", "select_across": "1", "_selected_action": _known()["dead"]}
    return {
        f"{action} of all dead": lambda action=action: client.post(
            path, {**asked, "action": action}
        )  # type: ignore[misc]
        for action in ("redrive", "discard")
    }


def _known() -> dict[str, str]:
    """Return what the addresses name, as `tests.browser.filling` would."""
    from motia_django import models

    runs = models.Run.objects.order_by("-id").exclude(step__startswith="Legacy")

    def newest(**values: Any) -> str:
        return str(runs.filter(**values).values_list("id", flat=True)[:1].get())

    dead = newest(status="dead", step="ProcessPayment")
    return {
        "dead": dead,
        "bounced": newest(status="dead", step="SendEmail"),
        "spent": newest(status="dead", step="PackOrder"),
        "asked": newest(trace_id="f" * 32, status="succeeded"),
        "charged": newest(status="succeeded", step="ChargeOrder"),
        "retrying": newest(status="scheduled", trigger="queue"),
        "queued": newest(status="queued", trigger="queue"),
        "running": newest(status="succeeded", trigger="cron"),
        "gone": str(models.Run.objects.filter(step="Legacy01")[0].id),
        "mark": str(models.Run.objects.get(id=dead).fingerprint),
        "trace": "f" * 32,
        **_batches(),
        "item": str(models.StateItem.objects.values_list("pk", flat=True)[0]),
        "streamed": str(models.StreamItem.objects.values_list("pk", flat=True)[0]),
    }


def _batches() -> dict[str, str]:
    from django.utils import timezone

    from motia_django import models
    from motia_django.ledger.selections import Selection

    selection = Selection(wanted={"step": "ProcessPayment"}).to_json()
    usual = {"deed": "redrive", "selection": selection, "total": 10_000, "by": "admin (admin)"}
    now = timezone.now()
    going = models.Batch.objects.create(**usual, started_at=now)
    ended = models.Batch.objects.create(**usual, started_at=now, finished_at=now)
    return {"batch": str(going.pk), "ended": str(ended.pk)}


def main() -> int:
    """Fill the database, measure every page; 1 if one is over a limit."""
    parser = argparse.ArgumentParser("python -m benchmarks.console", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="pages whose name has this in it")
    parser.add_argument("--sql", action="store_true", help="print the slowest query of bad pages")
    parser.add_argument("--write-docs", action="store_true", help=f"into docs/{report.PAGE.name}")
    options = parser.parse_args()
    machine = report.machine(*PACKAGES)
    _set_up(options.runs)
    asks = {name: ask for name, ask in pages().items() if options.only in name}
    found = [measured(name, ask, options.rounds) for name, ask in asks.items()]
    table = report.table(COLUMNS, [_row(each) for each in found])
    text = f"{options.runs:,} runs; {machine}.\n\n{table}"
    print(text)
    bad = [each for each in found if each.is_bad]
    for each in bad:
        print(f"over a limit: {each.page}" + (f"\n    {each.sql[:2000]}" if options.sql else ""))
    if options.write_docs:
        report.write("console", text)
    return int(bool(bad))


def _row(found: Finding) -> list[str]:
    numbers = (found.took * 1000, found.slowest * 1000)
    return [found.page, str(found.queries), *(f"{each:.0f}" for each in numbers)]


def _set_up(runs: int) -> None:
    """Set Django up with the sample project on a fresh PostgreSQL, and fill it."""
    from tests import servers

    os.environ["DATABASE_URL"] = os.environ.get("BENCHMARK_DATABASE") or servers.fresh_postgresql()
    os.environ["DJANGO_SETTINGS_MODULE"] = "sample_project.settings"
    os.environ.update(CELERY_BROKER_URL="memory://", DEBUG="0")
    import django
    from django.core.management import call_command

    from benchmarks import history

    django.setup()
    call_command("migrate", verbosity=0)
    began = time.monotonic()
    history.fill(runs)
    print(f"{runs:,} runs made in {time.monotonic() - began:.0f} s.", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
